import type { TocEntry } from '../../archive/archive.ts'
import { literal, type Session } from '../connection/session.ts'

/** Returns the tablespaces in which entries of a dump are created. */
export function tablespacesOf(entries: readonly TocEntry[]): string[] {
  return [...new Set(entries.map(({ tablespace }) => tablespace))].filter((name) => name !== '')
}

/**
 * Returns those of some tablespaces that the server does not have or in which the role may not create anything. The default
 * tablespace of a database needs no right (`DefineRelation` in tablecmds.c).
 *
 * @param ofDatabase the default tablespace of the database that receives the dump; null for that of the session
 */
export async function findUnusable(
  session: Session,
  tablespaces: readonly string[],
  ofDatabase: string | null,
): Promise<string[]> {
  if (tablespaces.length === 0) return []
  const own =
    ofDatabase === null
      ? '(SELECT dattablespace FROM pg_database WHERE datname = current_database())'
      : `(SELECT oid FROM pg_tablespace WHERE spcname = ${literal(ofDatabase)})`
  const rows = await session.query<{ name: string }>(`
    SELECT spcname AS name FROM pg_tablespace
    WHERE spcname IN (${tablespaces.map(literal).join(', ')})
      AND (oid = ${own} OR has_tablespace_privilege(oid, 'CREATE'))`)
  const usable = new Set(rows.map(({ name }) => name))
  return tablespaces.filter((name) => !usable.has(name))
}

/** Moves entries from the given tablespaces into the default one. */
export function inDefaultTablespace(
  entries: readonly TocEntry[],
  tablespaces: readonly string[],
): readonly TocEntry[] {
  if (tablespaces.length === 0) return entries
  return entries.map((entry) =>
    tablespaces.includes(entry.tablespace) ? entry.with({ tablespace: null }) : entry,
  )
}
