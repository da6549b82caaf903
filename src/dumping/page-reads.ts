import { asciiIdentifier } from '../database/connection/literal.ts'
import type { Session } from '../database/connection/session.ts'
import type { LargeTable } from '../database/large-tables.ts'
import { oidArray } from '../database/selection.ts'
import type { TableRead } from './table-reader.ts'

/** Bytes of a table, on the server's disk, that one query reads: less than a session may be ahead. */
const SHARE_BYTES = 4 * 1024 * 1024

/** What is known of a table that is locked. */
type Pages = { oid: string; pages: number; bytes: number; columns: string[] }

/**
 * Returns queries for consecutive pages of tables. The session has locked the tables, so that neither their columns nor
 * their rows can change in a way that its snapshot does not show (TRUNCATE, ALTER TABLE).
 *
 * @throws an Error if one of them is another table than before, or has no columns
 */
export async function planPageReads(session: Session, tables: readonly LargeTable[]): Promise<TableRead[]> {
  const found = await session.query<Pages>(`
    SELECT c.oid::text AS oid, pg_table_size(c.oid) AS bytes,
           pg_relation_size(c.oid) / current_setting('block_size')::int AS pages,
           (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
    FROM pg_class AS c WHERE c.oid = ANY (${oidArray(tables.map(({ oid }) => oid))})
      AND EXISTS (SELECT FROM pg_locks AS l
                  WHERE l.relation = c.oid AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    AND l.pid = pg_backend_pid() AND l.mode = 'AccessShareLock' AND l.granted)`)
  const byOid = new Map(found.map((table) => [table.oid, table]))
  return tables.map((table) => {
    const known = byOid.get(table.oid)
    if (!known?.columns) throw new Error(`table ${table.schema}.${table.name} has changed`)
    return pageRead(table, known)
  })
}

/**
 * Divides a table into ranges of pages. The last one has no end: the snapshot shows no rows behind the pages that there are,
 * but nothing has to rely on it.
 */
export function pageRead(table: LargeTable, { pages, bytes, columns }: Omit<Pages, 'oid'>): TableRead {
  const pagesInShare = Math.max(1, Math.floor((SHARE_BYTES * pages) / Math.max(bytes, 1)))
  const shares = Math.max(1, Math.ceil(pages / pagesInShare))
  const list = columns.map(asciiIdentifier).join(', ')
  const from = `${asciiIdentifier(table.schema)}.${asciiIdentifier(table.name)}`
  const select = (share: number) => {
    const bounds = [
      ...(share > 0 ? [`ctid >= '(${share * pagesInShare},0)'`] : []),
      ...(share < shares - 1 ? [`ctid < '(${(share + 1) * pagesInShare},0)'`] : []),
    ]
    return `SELECT ${list} FROM ONLY ${from}${bounds.length > 0 ? ` WHERE ${bounds.join(' AND ')}` : ''}`
  }
  return { table, columns, shares, select }
}
