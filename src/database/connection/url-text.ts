/** Connection parameters by libpq's names. */
export type Parameters = Record<string, string>

/** Decodes a part of a connection URL. @throws an Error that names the part and shows nothing of it */
export function decode(text: string, what: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch {
    throw new Error(`has a broken percent-encoding in ${what} (a literal % is written %25)`)
  }
  if (decoded.includes('\0')) throw new Error(`has a NUL byte in ${what}`)
  return decoded
}
