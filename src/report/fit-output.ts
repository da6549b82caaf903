/**
 * What a later step can take. Steps usually hand an output over as a variable of the environment, and Linux refuses to start
 * a program with one of more than 128 KiB, its name included (execve(2), MAX_ARG_STRLEN). GitHub takes 1 MB in UTF-16 for
 * all outputs of a job (GitHub: Workflow syntax, `jobs.<job_id>.outputs`), which several outputs of this size do not fill.
 */
export const MAX_OUTPUT_BYTES = 100_000

/** Whether a later step can take the text of an output. */
export function fits(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_OUTPUT_BYTES
}

/** Returns as much of an output as fits. JSON stays JSON: an array loses its last elements, an object shortens its largest fields. */
export function cutOutput(text: string): string {
  if (fits(text)) return text
  const value = parse(text)
  if (Array.isArray(value)) return JSON.stringify(cutArray(value, MAX_OUTPUT_BYTES))
  if (typeof value === 'object' && value !== null) return JSON.stringify(cutObject({ ...value }))
  return cutText(text, MAX_OUTPUT_BYTES)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

/** Returns the first elements of an array whose JSON has at most that many bytes. */
function cutArray(elements: readonly unknown[], limit: number): unknown[] {
  let bytes = '[]'.length
  const end = elements.findIndex((element) => {
    bytes += bytesOf(element) + ','.length
    // The last element has no comma.
    return bytes - ','.length > limit
  })
  return end < 0 ? [...elements] : elements.slice(0, end)
}

/** Shortens the largest fields of an object one after the other until it fits. */
function cutObject(object: Record<string, unknown>): Record<string, unknown> {
  const largestFirst = Object.keys(object).sort((a, b) => bytesOf(object[b]) - bytesOf(object[a]))
  for (const name of largestFirst) {
    const excess = bytesOf(object) - MAX_OUTPUT_BYTES
    if (excess <= 0) break
    const value = object[name]
    const limit = Math.max(0, bytesOf(value) - excess)
    if (Array.isArray(value)) object[name] = cutArray(value, limit)
    // Escapes make a text longer, at most sixfold.
    else if (typeof value === 'string') object[name] = cutText(value, Math.floor((limit - 2) / 6))
    else delete object[name]
  }
  return object
}

/** Returns the beginning of a text, without half a character at its end. */
export function cutText(text: string, bytes: number): string {
  const encoded = Buffer.from(text)
  if (encoded.length <= bytes) return text
  let end = Math.max(0, bytes)
  // A byte of the form 10xxxxxx continues a character.
  while (end > 0 && (encoded[end]! & 0xc0) === 0x80) end -= 1
  return encoded.subarray(0, end).toString()
}
