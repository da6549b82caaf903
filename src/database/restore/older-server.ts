import type { TocEntry } from '../../archive/archive.ts'

/**
 * Returns the entries in the syntax of a server of this major version, where pg_dump and pg_restore use newer syntax:
 *
 * - Before 12 a table has no access method (`SET default_table_access_method`).
 * - Before 11 a trigger executes a PROCEDURE, and publications do not support TRUNCATE.
 */
export function forServer(entries: readonly TocEntry[], major: number): readonly TocEntry[] {
  if (major >= 12) return entries
  return entries.map((entry) => {
    const plain = entry.fields.tableam === null ? entry : entry.with({ tableam: null })
    return major >= 11 ? plain : inSyntaxOf10(plain)
  })
}

function inSyntaxOf10(entry: TocEntry): TocEntry {
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

/** Replaces the keyword, but not the same words inside quotes, which are part of a condition or a name. */
function executeProcedure(sql: string): string {
  return sql.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|\bEXECUTE FUNCTION\b/g, (found) =>
    found === 'EXECUTE FUNCTION' ? 'EXECUTE PROCEDURE' : found,
  )
}
