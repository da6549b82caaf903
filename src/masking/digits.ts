import { hashNumber, INTEGER_MAXIMA, withHash } from './hash-parts.ts'
import { call, join } from './sql.ts'

const DIGITS = "'0123456789'"
const PUNCTUATION = `' !"#$%&''()*+,-./:;<=>?@[\\]^_\`{|}~'`
const CAPITALS = "'ABCDEFGHIJKLMNOPQRSTUVWXYZ'"

/** The byte of the hash for the place of a character. The 32 bytes are taken in turn. */
const HASH_BYTE = call('get_byte', 'k.hash', `${join('%', join('-', 'c.place', 1), 32)}::pg_catalog.int4`)

/**
 * Replaces every digit of a text by one of the hash, which does not depend on the digit. Punctuation stays, so the shape
 * stays. Letters become `x` and `X`: a text in such a column may have no digits at all.
 */
export function digitsOfText(text: string, hash: string): string {
  return maskCharacters(text, hash, join('%', HASH_BYTE, 10))
}

function maskCharacters(text: string, hash: string, digit: string): string {
  const has = (characters: string) =>
    join('>', call('strpos', characters, '(c.text COLLATE pg_catalog."C")'), 0)
  const masked = `CASE WHEN ${has(DIGITS)} THEN (${digit})::pg_catalog.text WHEN ${has(PUNCTUATION)} THEN c.text WHEN ${has(CAPITALS)} THEN 'X' ELSE 'x' END`
  const characters = call('unnest', call('string_to_array', text, 'NULL'))
  const all = `(SELECT pg_catalog.string_agg(${masked}, '' ORDER BY c.place) FROM ${characters} WITH ORDINALITY AS c(text, place))`
  return withHash(hash, `COALESCE(${all}, '')`)
}

/**
 * Replaces the digits of a number before and after its point. The first one does not become 0, and a 0 before the point
 * stays, so the result has as many digits. NaN and infinity have none.
 */
export function digitsOfNumeric(reference: string, hash: string): string {
  const text = `${call('abs', reference)}::pg_catalog.text`
  const first = `CASE WHEN ${join('=', 'c.text', "'0'")} THEN 0 ELSE ${join('+', 1, join('%', HASH_BYTE, 9))} END`
  const digit = `CASE WHEN ${join('=', 'c.place', 1)} THEN ${first} ELSE ${join('%', HASH_BYTE, 10)} END`
  const number = `${maskCharacters(text, hash, digit)}::pg_catalog.numeric`
  const hasDigits = `${call('scale', reference)} IS NOT NULL`
  return `CASE WHEN ${hasDigits} THEN ${join('*', signOf(reference), number)} ELSE 0 END`
}

function signOf(number: string): string {
  return `CASE WHEN ${join('<', number, 0)} THEN -1 ELSE 1 END`
}

/** Returns a number with the sign and the number of digits of an integer that its type can hold. */
export function digitsOfInteger(reference: string, hash: string, type: keyof typeof INTEGER_MAXIMA): string {
  const number = `${reference}::pg_catalog.numeric`
  const length = call('length', `${call('abs', number)}::pg_catalog.text`)
  const lowest = `CASE WHEN ${join('=', 'k.length', 1)} THEN 0 ELSE ${call('rpad', "'1'", 'k.length', "'0'")}::pg_catalog.numeric END`
  const highest = `LEAST(${call('repeat', "'9'", 'k.length')}::pg_catalog.numeric, ${INTEGER_MAXIMA[type]})`
  const span = join('+', join('-', highest, lowest), 1)
  const chosen = join('+', lowest, call('mod', `${hashNumber('k.hash', 'int8')}::pg_catalog.numeric`, span))
  return withHash(hash, join('*', signOf(number), `(${chosen})`), `, ${length} AS length`)
}
