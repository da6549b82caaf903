import { DASH, DOT, isDigit, isWord, SPACE } from './leak-window.ts'

/** The prefixes and lengths of issuers (ISO/IEC 7812). Visa's 13 digits are of the past, but are still in old data. */
const ISSUERS = [
  /^4(?:\d{12}|\d{15}|\d{18})$/, // Visa
  /^(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}$/, // Mastercard
  /^3[47]\d{13}$/, // American Express
  /^3(?:0[0-5]|095|[689]\d)\d{11}$/, // Diners Club
  /^(?:6011|64[4-9]\d|65\d\d)\d{12}(?:\d{3})?$/, // Discover
  /^35(?:2[89]|[3-8]\d)\d{12}(?:\d{3})?$/, // JCB
  /^62\d{14}(?:\d{3})?$/, // UnionPay
  /^(?:5[06-8]|6[037])\d{14}(?:\d{3})?$/, // Maestro, RuPay
  /^220[0-4]\d{12}$/, // Mir
]

/** What each second digit counts in a card number (ISO/IEC 7812: the digits of its double) and in a bar code. */
const LUHN = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
const GTIN = [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]

/** How card numbers are printed. */
const PRINTED = [
  [4, 4, 4, 4, 3],
  [4, 4, 4, 4],
  [4, 6, 5],
  [4, 6, 4],
]

/**
 * Returns whether the word from `start` to `end` is a payment card number or the first group of one. Digits that go on behind
 * a dot or dash are another number: a fraction, or a part of a longer number such as a UUID.
 */
export function isCard(bytes: Buffer, start: number, end: number): boolean {
  const length = end - start
  if (!isIssuersDigit(bytes[start]!)) return false
  if (length < 13) return length === 4 && isPrinted(bytes, start, end)
  return length <= 19 && isCardNumber(bytes, start, end) && isAlone(bytes, start, end, DASH)
}

/** Returns whether the number of an issuer starts with this digit. */
function isIssuersDigit(byte: number): boolean {
  return byte >= 0x32 && byte <= 0x36
}

function isPrinted(bytes: Buffer, start: number, end: number): boolean {
  const separator = bytes[end]!
  if ((separator !== SPACE && separator !== DASH) || !isDigit(bytes[end + 3]!)) return false
  return PRINTED.some((sizes) => {
    const last = endOfGroups(bytes, start, sizes, separator)
    return last !== null && isCardNumber(bytes, start, last) && isAlone(bytes, start, last, separator)
  })
}

/** Returns where groups of these sizes end, or null if there are others. */
function endOfGroups(
  bytes: Buffer,
  start: number,
  sizes: readonly number[],
  separator: number,
): number | null {
  let at = start
  for (const size of sizes) {
    if (at > start && bytes[at++] !== separator) return null
    const end = at + size
    while (at < end && isDigit(bytes[at]!)) at++
    if (at < end || isDigit(bytes[at]!)) return null
  }
  return at
}

/** Returns whether the digits are a number of their own. Next to a space, four digits more make it a list of numbers. */
function isAlone(bytes: Buffer, start: number, end: number, separator: number): boolean {
  if (isWord(bytes[end]!)) return false
  if (separator === SPACE && isInList(bytes, start, end)) return false
  return !(continues(bytes[start - 1]!, bytes[start - 2]!) || continues(bytes[end]!, bytes[end + 1]!))
}

function continues(neighbour: number, beyond: number): boolean {
  return (neighbour === DOT || neighbour === DASH) && isDigit(beyond)
}

/** The group before may have letters, such as the first one of an IBAN. */
function isInList(bytes: Buffer, start: number, end: number): boolean {
  const before = bytes[start - 1] === SPACE && isDigit(bytes[start - 2]!) && hasFour(bytes, start - 5, isWord)
  return before || (bytes[end] === SPACE && hasFour(bytes, end + 1, isDigit))
}

/** Returns whether a word of four characters of this class starts at `at`. */
function hasFour(bytes: Buffer, at: number, isInClass: (byte: number) => boolean): boolean {
  if (isWord(bytes[at - 1]!) || isWord(bytes[at + 4]!)) return false
  for (let character = at; character < at + 4; character++) if (!isInClass(bytes[character]!)) return false
  return true
}

function isCardNumber(bytes: Buffer, start: number, end: number): boolean {
  if (sumOfDigits(bytes, start, end, LUHN) % 10 !== 0) return false
  const digits = bytes.toString('latin1', start, end).replace(/[ -]/g, '')
  const isArticle = digits.length <= 14 && sumOfDigits(bytes, start, end, GTIN) % 10 === 0
  return !isArticle && ISSUERS.some((issuer) => issuer.test(digits))
}

/** Returns the sum of the digits from the right, of which each second one is replaced; other bytes are skipped. */
function sumOfDigits(bytes: Buffer, start: number, end: number, second: readonly number[]): number {
  let sum = 0
  let isSecond = false
  for (let at = end - 1; at >= start; at--) {
    const digit = bytes[at]! - 0x30
    if (digit < 0) continue
    sum += isSecond ? second[digit]! : digit
    isSecond = !isSecond
  }
  return sum
}
