import { asciiIdentifier } from '../database/connection/literal.ts'
import type { Session } from '../database/connection/session.ts'
import type { LargeTable } from '../database/large-tables.ts'
import { oidArray } from '../database/selection.ts'
import type { TableRead } from './table-reader.ts'

/** Bytes of a table, on the server's disk, that one query reads: less than a session may be ahead. */
const SHARE_BYTES = 4 * 1024 * 1024

/** How large a locked table is, and its columns without generated ones. */
export type Pages = { oid: string; pages: number; bytes: number; columns: string[] | null }

/**
 * Returns queries for consecutive pages of tables. The session has locked the tables, so that neither their columns nor
 * their rows can change in a way that its snapshot does not show (TRUNCATE, ALTER TABLE).
 *
 * @throws an Error if one of them is another table than before, or has no columns
 */
export async function planPageReads(session: Session, tables: readonly LargeTable[]): Promise<TableRead[]> {
  const locked = await readLocked(
    session,
    tables.map(({ oid }) => oid),
  )
  return tables.map((table) => {
    const known = locked.get(table.oid)
    if (!known?.columns) throw new Error(`table ${table.schema}.${table.name} has changed`)
    return pageRead(table, { ...known, columns: known.columns })
  })
}

/** Returns those of the given tables that the session has locked. */
export async function readLocked(session: Session, oids: readonly string[]): Promise<Map<string, Pages>> {
  const found = await session.query<Pages>(`
    SELECT c.oid::text AS oid, pg_table_size(c.oid) AS bytes,
           pg_relation_size(c.oid) / current_setting('block_size')::int AS pages,
           (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              AND coalesce(to_jsonb(a) ->> 'attgenerated', '') = '') AS columns
    FROM pg_class AS c WHERE c.oid = ANY (${oidArray(oids)})
      AND EXISTS (SELECT FROM pg_locks AS l
                  WHERE l.relation = c.oid AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    AND l.pid = pg_backend_pid() AND l.mode = 'AccessShareLock' AND l.granted)`)
  return new Map(found.map((table) => [table.oid, table]))
}

/** A table in consecutive ranges of pages. */
export type PageShares = {
  shares: number
  /** Returns the condition of the rows of a share, from 0; undefined if it is all rows. */
  condition: (share: number) => string | undefined
}

/**
 * Divides a table into ranges of pages. The last one has no end: the snapshot shows no rows behind the pages that there are,
 * but nothing has to rely on it.
 */
export function pageShares({ pages, bytes }: Pick<Pages, 'pages' | 'bytes'>): PageShares {
  const pagesInShare = Math.max(1, Math.floor((SHARE_BYTES * pages) / Math.max(bytes, 1)))
  const shares = Math.max(1, Math.ceil(pages / pagesInShare))
  const condition = (share: number) => {
    const bounds = [
      ...(share > 0 ? [`ctid >= '(${share * pagesInShare},0)'`] : []),
      ...(share < shares - 1 ? [`ctid < '(${(share + 1) * pagesInShare},0)'`] : []),
    ]
    return bounds.length > 0 ? bounds.join(' AND ') : undefined
  }
  return { shares, condition }
}

/** Returns how to read a table by ranges of pages. */
export function pageRead(
  table: LargeTable,
  { pages, bytes, columns }: Pick<Pages, 'pages' | 'bytes'> & { columns: string[] },
): TableRead {
  const { shares, condition } = pageShares({ pages, bytes })
  const list = columns.map(asciiIdentifier).join(', ')
  const from = `${asciiIdentifier(table.schema)}.${asciiIdentifier(table.name)}`
  const select = (share: number) => {
    const bounds = condition(share)
    return `SELECT ${list} FROM ONLY ${from}${bounds ? ` WHERE ${bounds}` : ''}`
  }
  return { table, columns, shares, select }
}
