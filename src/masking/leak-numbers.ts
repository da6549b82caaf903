import { isCard } from './leak-cards.ts'
import { isIban } from './leak-ibans.ts'
import { afterEscape, type Found, isDigit, isWord, type LeakWindow, NOT_ASCII } from './leak-window.ts'

/** Every card number and IBAN, printed in groups or not, has four digits in a row, so one of each four bytes is looked at. */
const STRIDE = 4

/** The length of the shortest card number; IBANs have 15 characters or more. */
const SHORTEST = 13

/** Longer than a card number and an IBAN. */
const LONGEST_WORD = 40

/** Finds payment card numbers and IBANs, starting from words with digits. */
export function findNumbers(window: LeakWindow, found: Found): void {
  const { values, from, to } = window
  for (let value = 0; value < values.count; value++) {
    const start = values.starts[value]!
    const end = values.ends[value]!
    const isWhole = start > from && end < to
    if (!isWhole || end - start >= SHORTEST) searchValue(window, value, found)
  }
}

function searchValue(window: LeakWindow, value: number, found: Found): void {
  const { bytes, values } = window
  const end = values.ends[value]!
  for (let at = values.starts[value]!; at < end; at += STRIDE) {
    if (!isDigit(bytes[at]!)) continue
    let first = at
    while (at - first < LONGEST_WORD && isWord(bytes[first - 1]!)) first--
    let last = at + 1
    while (isWord(bytes[last]!)) last++
    if (last - first >= STRIDE) judge(window, first, last, value, found)
    at = last
  }
}

/** Looks at a word with digits. */
function judge(window: LeakWindow, word: number, end: number, value: number, found: Found): void {
  const { bytes, embedsAscii } = window
  const start = afterEscape(bytes, word)
  // In such an encoding the first byte may belong to the character before it.
  const last = embedsAscii && bytes[start - 1]! >= NOT_ASCII ? start + 1 : start
  for (let first = start; first <= last; first++) {
    if (isCard(bytes, first, end)) found('card', value)
    if (isIban(window, first)) found('iban', value)
  }
}
