import { hashNumber, INTEGER_MAXIMA, withHash } from './hash-parts.ts'
import { call, join } from './sql.ts'

const DIGITS = "'0123456789'"
const PUNCTUATION = `' !"#$%&''()*+,-./:;<=>?@[\\]^_\`{|}~'`
const CAPITALS = "'ABCDEFGHIJKLMNOPQRSTUVWXYZ'"

/** The bytes of a hash, from which the digits of a text are taken in turn. */
const HASH_BYTES = 32

/**
 * Replaces every digit of a text by one of the hash, which does not depend on the digit. Punctuation stays, so the shape
 * stays. Letters become `x` and `X`: a text in such a column may have no digits at all.
 */
export function digitsOfText(text: string, hash: string): string {
  const has = (characters: string) =>
    join('>', call('strpos', characters, '(c.text COLLATE pg_catalog."C")'), 0)
  const byte = `${join('%', join('-', 'c.place', 1), HASH_BYTES)}::pg_catalog.int4`
  const digit = `${join('%', call('get_byte', 'k.hash', byte), 10)}::pg_catalog.text`
  const masked = `CASE WHEN ${has(DIGITS)} THEN ${digit} WHEN ${has(PUNCTUATION)} THEN c.text WHEN ${has(CAPITALS)} THEN 'X' ELSE 'x' END`
  const characters = call('unnest', call('string_to_array', text, 'NULL'))
  const all = `(SELECT pg_catalog.string_agg(${masked}, '' ORDER BY c.place) FROM ${characters} WITH ORDINALITY AS c(text, place))`
  return withHash(hash, `COALESCE(${all}, '')`)
}

/** Replaces the digits of a number before and after its point. NaN and infinity have no digits. */
export function digitsOfNumeric(reference: string, hash: string): string {
  const digits = digitsOfText(`${reference}::pg_catalog.text`, hash)
  const hasDigits = `${call('scale', reference)} IS NOT NULL`
  return `CASE WHEN ${hasDigits} THEN ${digits}::pg_catalog.numeric ELSE 0 END`
}

/** Returns a number with the sign and the number of digits of an integer that its type can hold. */
export function digitsOfInteger(reference: string, hash: string, type: keyof typeof INTEGER_MAXIMA): string {
  const number = `${reference}::pg_catalog.numeric`
  const length = call('length', `${call('abs', number)}::pg_catalog.text`)
  const lowest = `CASE WHEN ${join('=', 'k.length', 1)} THEN 0 ELSE ${call('rpad', "'1'", 'k.length', "'0'")}::pg_catalog.numeric END`
  const highest = `LEAST(${call('repeat', "'9'", 'k.length')}::pg_catalog.numeric, ${INTEGER_MAXIMA[type]})`
  const span = join('+', join('-', highest, lowest), 1)
  const chosen = join('+', lowest, call('mod', `${hashNumber('k.hash', 'int8')}::pg_catalog.numeric`, span))
  const sign = `CASE WHEN ${join('<', number, 0)} THEN -1 ELSE 1 END`
  return withHash(hash, join('*', sign, `(${chosen})`), `, ${length} AS length`)
}
