import {
  characterBefore,
  DASH,
  DOT,
  eachOccurrence,
  type Found,
  isWord,
  type LeakWindow,
} from './leak-window.ts'

const LETTER_E = 0x65
const LETTER_Y = 0x79
const LETTER_J = 0x4a

const LONGEST_HEADER = 2000
const LONGEST_PAYLOAD = 2000

/**
 * Finds JSON web tokens (RFC 7519): three parts in base64url, the first of them a JSON object with `alg`. The encoding of
 * `{"` is `eyJ`, of which the J is the letter that is rare in texts. Of a payload that is longer than 2000 bytes the end is
 * not looked for, and a header that is longer, which none but a chain of certificates makes it, is not recognised.
 */
export function findJwts(window: LeakWindow, found: Found): void {
  const { bytes } = window
  eachOccurrence(window, LETTER_J, (at, value) => {
    if (bytes[at - 1] === LETTER_Y && bytes[at - 2] === LETTER_E && isToken(window, at - 2))
      found('jwt', value)
  })
}

function isToken(window: LeakWindow, start: number): boolean {
  const { bytes } = window
  if (inPart(characterBefore(window, start))) return false
  const dot = endOfPart(bytes, start, LONGEST_HEADER)
  if (bytes[dot] !== DOT) return false
  const payload = endOfPart(bytes, dot + 1, LONGEST_PAYLOAD)
  if (payload === dot + 1) return false
  const goesOn = bytes[payload] === DOT || inPart(bytes[payload]!)
  return goesOn && isHeader(bytes.toString('latin1', start, dot))
}

function endOfPart(bytes: Buffer, start: number, longest: number): number {
  let end = start
  while (end - start < longest && inPart(bytes[end]!)) end++
  return end
}

function inPart(byte: number): boolean {
  return isWord(byte) || byte === DASH
}

function isHeader(part: string): boolean {
  try {
    const header: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof header === 'object' && header !== null && 'alg' in header && typeof header.alg === 'string'
  } catch {
    return false
  }
}
