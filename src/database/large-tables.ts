import { shareEvenly } from '../process/balance.ts'
import { characterCodes, exactPatterns } from './connection/name-pattern.ts'
import { DatabaseError, type Session } from './connection/session.ts'
import { chosenRelations, oidArray, type Selection } from './selection.ts'

/** A table that is large enough to be dumped over its own connection; `bytes` is its size on the server's disk. */
export type LargeTable = {
  oid: string
  schema: string
  name: string
  bytes: number
  /** The pattern of `pg_dump` that matches only this table. */
  pattern: string
}

/** For smaller tables, the queries about them cost more than a parallel dump saves. */
const MIN_LARGE_TABLE_BYTES = 1024 * 1024

/** Enough to share the work evenly, and few enough for the command line of every system. */
const MAX_LARGE_TABLES = 256

/** Gives up quickly if another session holds a lock: a parallel dump would only add to the contention. */
const LOCK_TIMEOUT = '1s'

/**
 * Returns the large tables whose rows will be dumped, largest first. With `pg-dump-args` it returns none, because they may
 * change what is dumped.
 */
export async function readLargeTables(session: Session, selection: Selection): Promise<LargeTable[]> {
  const { contents, matched } = selection
  if (contents.schemaOnly || contents.pgDumpArgs.length > 0) return []
  await session.execute(`SET lock_timeout = '${LOCK_TIMEOUT}'`)
  try {
    const tables = await session.query<Omit<LargeTable, 'pattern'> & { codes: [number[], number[]] }>(`
      SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, sizes.bytes,
             json_build_array(${characterCodes('n.nspname::text')}, ${characterCodes('c.relname::text')}) AS codes
      FROM (SELECT chosen.oid, pg_table_size(chosen.oid) AS bytes FROM (${chosenRelations(selection)}) AS chosen
            WHERE chosen.oid <> ALL (${oidArray(matched.excludeTableData)})) AS sizes
      JOIN pg_class AS c ON c.oid = sizes.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND sizes.bytes >= ${MIN_LARGE_TABLE_BYTES}
      ORDER BY sizes.bytes DESC, c.oid LIMIT ${MAX_LARGE_TABLES}`)
    return tables.map(({ codes: [schema, name], ...table }) => ({
      ...table,
      pattern: exactPatterns([{ schema, name }])[0]!,
    }))
  } catch (error) {
    if (error instanceof DatabaseError) return []
    throw error
  } finally {
    await session.execute('SET lock_timeout = 0')
  }
}

/** Each connection costs the server a process. */
const MAX_CONNECTIONS = 8

/** A smaller share is dumped before a further pg_dump has read the catalog. */
const MIN_SHARE_BYTES = 32 * 1024 * 1024

/**
 * Divides large tables evenly among connections.
 *
 * @param jobs the maximum number of connections, one of which dumps everything that is not in the result
 * @returns the tables of each further connection
 */
export function shareLargeTables(tables: readonly LargeTable[], jobs: number): LargeTable[][] {
  return shareEvenly(tables, ({ bytes }) => bytes, Math.min(jobs, MAX_CONNECTIONS))
    .slice(1)
    .filter(({ size }) => size >= MIN_SHARE_BYTES)
    .map(({ items }) => items)
}
