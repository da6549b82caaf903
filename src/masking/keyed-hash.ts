import { type ColumnType, isOneOf } from './column-type.ts'
import { call, join } from './sql.ts'

/** Settings in which a session has the key. They come with its start packet, so no statement contains them. */
export const INNER = 'pgclone.mask_inner'
export const OUTER = 'pgclone.mask_outer'

/** The encoding of the bytes that are hashed. A database without an encoding cannot convert, so its bytes are taken as they are. */
const ENCODING = `(SELECT CASE WHEN ${join('=', call('getdatabaseencoding'), "'SQL_ASCII'")} THEN 'SQL_ASCII' ELSE 'UTF8' END::pg_catalog.name)`

const block = (setting: string) => call('decode', call('current_setting', `'${setting}'`), "'hex'")

/**
 * Returns HMAC-SHA-256 (RFC 2104) of a domain and bytes as SQL of type bytea. The two padded keys come from the session.
 * A subquery without a table is evaluated once per statement. The zero byte, which no domain contains, ends the domain.
 */
export function hmac(domain: string, bytes: string): string {
  const prefix = `'\\x${Buffer.from(domain).toString('hex')}00'::pg_catalog.bytea`
  const inner = call('sha256', join('||', `(SELECT ${join('||', block(INNER), prefix)})`, bytes))
  return call('sha256', join('||', `(SELECT ${block(OUTER)})`, inner))
}

/** Returns the keyed hash of a column's value. Values that the type takes for equal have equal hashes. */
export function hashOf(type: ColumnType, reference: string, domain: string): string {
  if (isOneOf(type, 'bytea')) return hmac(domain, reference)
  return hmac(domain, call('convert_to', canonicalText(type, reference), ENCODING))
}

/** Returns the text of a value, independent of settings, and the same for equal values of different lengths or scales. */
function canonicalText(type: ColumnType, reference: string): string {
  const text = `${reference}::pg_catalog.text`
  if (type.base === 'citext') return call('lower', `(${text} COLLATE pg_catalog."default")`)
  if (!isOneOf(type, 'numeric')) return text
  const trimmed = call('rtrim', call('rtrim', text, "'0'"), "'.'")
  return `CASE WHEN ${join('>', call('scale', reference), 0)} THEN ${trimmed} ELSE ${text} END`
}

/** Names what is hashed: columns whose values are compared alike have the same. */
export function canonicalForm(type: ColumnType): string {
  return type.base === 'citext' || isOneOf(type, 'bytea') ? type.base : 'text'
}
