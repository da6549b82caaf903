/** First and last names of which `name` takes one each. There are 64 of both, so that six bits of a hash choose one. */
export const FIRST_NAMES =
  'Ada Alan Alma Amir Anna Aria Ayla Beth Boris Cara Carl Clara Dana Dario Dora Edith Elena Eli Emil Emma Eric Fay Felix Flora Gina Greta Gus Hana Hugo Ida Igor Ines Iris Ivan Jana Jon Judy Karl Kira Lars Lena Leo Lina Luca Mara Marta Max Mila Nils Nina Noah Nora Olga Omar Otto Paul Rosa Ruth Sami Sara Theo Uma Vera Yara'.split(
    ' ',
  )
export const LAST_NAMES =
  'Abel Adams Alder Archer Bach Baker Banks Barton Beck Berg Bird Blake Brandt Brooks Carter Castle Clark Cole Conti Cooper Costa Cruz Dale Dean Diaz Dixon Drake Falk Fields Fisher Ford Foster Frost Garcia Graf Grant Hale Hansen Hart Hayes Hill Holt Horn Ivers Jensen Keller Kent Klein Kuhn Lamb Lang Lopez Marsh Mason Meyer Moore Nash Novak Olsen Park Reed Silva Stone Wolf'.split(
    ' ',
  )

/** The longest name with its space. */
export const NAME_LENGTH = 1 + longest(FIRST_NAMES) + longest(LAST_NAMES)

function longest(words: readonly string[]): number {
  return Math.max(...words.map((word) => word.length))
}

/** Sixty-four words from which `text` takes as many as it needs, beginning with one that the hash chooses. */
const LOREM_WORDS =
  'lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua ut enim ad minim veniam quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla pariatur excepteur sint occaecat cupidatat non proident sunt in culpa qui officia deserunt'.split(
    ' ',
  )

export const LOREM = `${LOREM_WORDS.join(' ')} `

/** Where each word of `LOREM` begins, counted from 1. */
export const LOREM_STARTS = LOREM_WORDS.map(
  (_, index) => LOREM_WORDS.slice(0, index).join(' ').length + (index ? 2 : 1),
)
