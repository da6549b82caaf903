import { createHash, randomBytes } from 'node:crypto'

/** PostgreSQL cuts longer names with no more than a notice (NAMEDATALEN - 1), so two long names can become one. */
const LONGEST_NAME = 63

/**
 * The name of a database that belongs to another one: `<database>__<suffix>`, within 63 bytes. A base that must be cut
 * gets a hash of the whole, so that two long names stay apart.
 */
export function relatedName(database: string, suffix: string): string {
  const name = `${database}__${suffix}`
  if (Buffer.byteLength(name) <= LONGEST_NAME) return name
  const ending = `_${createHash('sha256').update(database).digest('hex').slice(0, 8)}__${suffix}`
  return cut(database, LONGEST_NAME - Buffer.byteLength(ending)) + ending
}

/** A fresh name for a database that lives only during a run. */
export function temporaryName(database: string): string {
  return relatedName(database, `pgclone_${randomBytes(4).toString('hex')}`)
}

/** The longest beginning of a text that fits, without half a character. */
function cut(text: string, bytes: number): string {
  let fitting = ''
  for (const character of text) {
    if (Buffer.byteLength(fitting + character) > bytes) break
    fitting += character
  }
  return fitting
}
