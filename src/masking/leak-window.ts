/** A kind of personal data or secret that can be recognised by its form. */
export const LEAK_KINDS = ['email', 'iban', 'card', 'jwt'] as const

export type LeakKind = (typeof LEAK_KINDS)[number]

/**
 * A part of the COPY text of a table. A recogniser reports the patterns that it notices at a byte of one of the values. From
 * there it may read BEFORE bytes back and AFTER bytes ahead, and must decide by these alone: so the result does not depend on
 * where the text is cut into windows.
 */
export type LeakWindow = {
  bytes: Buffer
  from: number
  to: number
  values: LeakValues
  /** A byte below 128 that follows one above may be the second half of a character (see `embedsAscii`). */
  embedsAscii: boolean
}

/** The values to search, or the parts of them that are in the window, in their order. */
export type LeakValues = { count: number; starts: Int32Array; ends: Int32Array }

export const BEFORE = 96
export const AFTER = 4096

/** Called with the index of a value that holds the pattern, once or repeatedly. */
export type Found = (kind: LeakKind, value: number) => void

/** What is left of a character outside ASCII, of which no pattern needs to know more. */
export const NOT_ASCII = 0x80

export const SPACE = 0x20
export const DASH = 0x2d
export const DOT = 0x2e
export const BACKSLASH = 0x5c
const NEWLINE = 0x0a
const LETTER_U = 0x75
const PERCENT = 0x25
const LOWER_CASE = 0x20
const CONTROL_ESCAPES = Buffer.from('bfnrtv')

/**
 * The encodings of PG_ENCODING_IS_CLIENT_ONLY (pg_wchar.h): the second byte of a character may be a letter, `@` or a
 * backslash.
 */
const CLIENT_ONLY = new Set(['SJIS', 'BIG5', 'GBK', 'UHC', 'GB18030', 'JOHAB', 'SHIFT_JIS_2004'])

/** Returns whether characters outside ASCII have bytes of ASCII in this encoding of PostgreSQL. */
export function embedsAscii(encoding: string): boolean {
  return CLIENT_ONLY.has(encoding)
}

/** Returns whether the byte is an ASCII digit. */
export function isDigit(byte: number): boolean {
  return (byte - 0x30) >>> 0 <= 9
}

/** Returns whether the byte is an ASCII letter. */
export function isLetter(byte: number): boolean {
  return ((byte | LOWER_CASE) - 0x61) >>> 0 <= 25
}

/** Returns whether the byte is part of a word: a letter, digit or underscore. */
export function isWord(byte: number): boolean {
  return WORD[byte] === 1
}

/** A table, because a branch for each class is mispredicted in hexadecimal text. */
const WORD = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(isLetter(byte) || isDigit(byte) || byte === 0x5f),
)

/**
 * Returns the end of the escape sequence whose first byte stands before `at`, or `at` if there is none, so that its letter is
 * not taken for text. COPY TO writes `\b \f \n \r \t \v` and doubles other backslashes (CopyAttributeOutText in copyto.c; it
 * never writes octal or hexadecimal digits). JSON has these, except `\v`, and `\u` with four digits; URLs have `%` with two.
 */
export function afterEscape(bytes: Buffer, at: number): number {
  const mark = bytes[at - 1]
  if (mark === PERCENT && hexadecimal(bytes, at, 2) !== null) return at + 2
  if (mark !== BACKSLASH) return at
  if (bytes[at] === LETTER_U && hexadecimal(bytes, at + 1, 4) !== null) return at + 5
  return isControlEscape(bytes[at]!) ? at + 1 : at
}

/** Returns the character before `at` with its escape sequence undone: its code in ASCII, or NOT_ASCII. */
export function characterBefore({ bytes, embedsAscii }: LeakWindow, at: number): number {
  const byte = bytes[at - 1]!
  if (byte >= NOT_ASCII || (embedsAscii && bytes[at - 2]! >= NOT_ASCII)) return NOT_ASCII
  if (bytes[at - 2] === BACKSLASH && isControlEscape(byte)) return NEWLINE
  return Math.min(escapedBefore(bytes, at) ?? byte, NOT_ASCII)
}

function isControlEscape(letter: number): boolean {
  return CONTROL_ESCAPES.includes(letter)
}

function escapedBefore(bytes: Buffer, at: number): number | null {
  if (bytes[at - 3] === PERCENT) return hexadecimal(bytes, at - 2, 2)
  return bytes[at - 6] === BACKSLASH && bytes[at - 5] === LETTER_U ? hexadecimal(bytes, at - 4, 4) : null
}

function hexadecimal(bytes: Buffer, at: number, length: number): number | null {
  const digits = bytes.toString('latin1', at, at + length)
  return /^[0-9a-f]+$/i.test(digits) ? Number.parseInt(digits, 16) : null
}

/** Calls `visit` for each `needle` that begins in one of the values. */
export function eachOccurrence(
  { bytes, from, to, values }: LeakWindow,
  needle: number | Buffer,
  visit: (at: number, value: number) => void,
): void {
  const { count, starts, ends } = values
  let value = 0
  for (let at = bytes.indexOf(needle, from); at !== -1 && at < to; at = bytes.indexOf(needle, at + 1)) {
    while (value < count && ends[value]! <= at) value++
    if (value === count) return
    if (starts[value]! <= at) visit(at, value)
  }
}
