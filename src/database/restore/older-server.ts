import { TocEntry } from '../../archive/archive.ts'

/**
 * Entries in words that a server of this major version knows, where pg_dump and pg_restore use newer ones for the same:
 *
 * - Before 12 a table has no access method to choose (`SET default_table_access_method`).
 * - Before 11 a trigger executes a PROCEDURE, and publications know nothing of TRUNCATE.
 */
export function forServer(entries: readonly TocEntry[], major: number): readonly TocEntry[] {
  if (major >= 12) return entries
  return entries.map((entry) => {
    const plain = entry.fields.tableam === null ? entry : new TocEntry({ ...entry.fields, tableam: null })
    return major >= 11 ? plain : inWordsOf10(plain)
  })
}

function inWordsOf10(entry: TocEntry): TocEntry {
  switch (entry.desc) {
    case 'TRIGGER':
    case 'EVENT TRIGGER':
      return entry.redefine(executeProcedure)
    case 'PUBLICATION':
      return entry.redefine((sql) => sql.replace(", truncate'", "'"))
    default:
      return entry
  }
}

/** What stands in quotes, in a condition or as a name, is no keyword. */
function executeProcedure(sql: string): string {
  return sql.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\bEXECUTE FUNCTION\b/g, (found) =>
    found === 'EXECUTE FUNCTION' ? 'EXECUTE PROCEDURE' : found,
  )
}
