import { createHash, randomBytes } from 'node:crypto'

/** PostgreSQL truncates longer names with only a notice (NAMEDATALEN - 1), so two long names can become one. */
const MAX_NAME_BYTES = 63

/**
 * Returns the name of a database that belongs to another one: `<database>__<suffix>`, within 63 bytes. A base that must be
 * cut gets a hash of the whole name, so that two long names stay different.
 */
export function relatedName(database: string, suffix: string): string {
  const name = `${database}__${suffix}`
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name
  const ending = `_${createHash('sha256').update(database).digest('hex').slice(0, 8)}__${suffix}`
  return cut(database, MAX_NAME_BYTES - Buffer.byteLength(ending)) + ending
}

/** Returns a new unique name for a temporary database. */
export function temporaryName(database: string): string {
  return relatedName(database, `pgclone_${randomBytes(4).toString('hex')}`)
}

/** Matches the names that `temporaryName` makes. No live database has such a name, regardless of its comment. */
const TEMPORARY_NAME = /__pgclone_[0-9a-f]{8}$/

/** Whether a name is one of a temporary database. */
export function hasTemporaryName(name: string): boolean {
  return TEMPORARY_NAME.test(name)
}

/** Returns the longest beginning of a text that fits, without splitting a character. */
function cut(text: string, bytes: number): string {
  let fitting = ''
  for (const character of text) {
    if (Buffer.byteLength(fitting + character) > bytes) break
    fitting += character
  }
  return fitting
}
