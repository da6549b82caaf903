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
  /** Whether queries can read it by ranges of pages, with the result of `pg_dump`. */
  hasPages: boolean
}

/** For smaller tables, the queries about them cost more than a parallel dump saves. */
const MIN_LARGE_TABLE_BYTES = 1024 * 1024

/** Enough to share the work evenly, and few enough for the command line of every system. */
const MAX_LARGE_TABLES = 256

/** Gives up quickly if another session holds a lock: a parallel dump would only add to the contention. */
const LOCK_TIMEOUT = '1s'

/**
 * An SQL condition for a table that queries can read by ranges of pages. Servers before PostgreSQL 14 would scan all of it for
 * each range, and other access methods may number rows differently. \`pg_dump\` may load partitions by hash through their root.
 * Functions of later servers are called only there, because a query is parsed as a whole: partitions are found by pg_inherits.
 */
const HAS_PAGES = `(
  current_setting('server_version_num')::int >= 140000
  AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'heap')
  AND NOT EXISTS (
    WITH RECURSIVE ancestors AS (
      SELECT i.inhparent FROM pg_inherits AS i WHERE i.inhrelid = c.oid
      UNION SELECT i.inhparent FROM ancestors AS a JOIN pg_inherits AS i ON i.inhrelid = a.inhparent)
    SELECT FROM ancestors AS a JOIN pg_partitioned_table AS p ON p.partrelid = a.inhparent WHERE p.partstrat = 'h')
  AND EXISTS (
    SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      AND coalesce(to_jsonb(a) ->> 'attgenerated', '') = ''))`

/**
 * Returns the large tables whose rows will be dumped, largest first. With `pg-dump-args` it returns none, because they may
 * change what is dumped.
 */
export async function readLargeTables(session: Session, selection: Selection): Promise<LargeTable[]> {
  const { contents, matched } = selection
  if (contents.schemaOnly || contents.pgDumpArgs.length > 0) return []
  try {
    const tables = await session.query<Omit<LargeTable, 'pattern'> & { codes: [number[], number[]] }>(
      `
      SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, sizes.bytes, ${HAS_PAGES} AS "hasPages",
             json_build_array(${characterCodes('n.nspname::text')}, ${characterCodes('c.relname::text')}) AS codes
      FROM (SELECT chosen.oid, pg_table_size(chosen.oid) AS bytes FROM (${chosenRelations(selection)}) AS chosen
            WHERE chosen.oid <> ALL (${oidArray(matched.excludeTableData)})) AS sizes
      JOIN pg_class AS c ON c.oid = sizes.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND sizes.bytes >= ${MIN_LARGE_TABLE_BYTES}
      ORDER BY sizes.bytes DESC, c.oid LIMIT ${MAX_LARGE_TABLES}`,
      [`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`],
    )
    return tables.map(({ codes: [schema, name], ...table }) => ({
      ...table,
      pattern: exactPatterns([{ schema, name }])[0]!,
      // There, psql ends lines with two characters.
      hasPages: table.hasPages && process.platform !== 'win32',
    }))
  } catch (error) {
    if (error instanceof DatabaseError) return []
    throw error
  }
}

/** Each connection costs the server a process. */
const MAX_CONNECTIONS = 8

/** A smaller share is read before another connection has begun. */
const MIN_SHARE_BYTES = 32 * 1024 * 1024

/** How the reading of large tables is divided. One connection dumps everything that is not named here. */
export type ReadingPlan = {
  /** The tables of each further `pg_dump`. */
  dumps: LargeTable[][]
  /** Tables that are read by ranges of pages, one after the other, and over how many sessions. */
  paged: LargeTable[]
  sessions: number
}

/**
 * Divides large tables evenly among connections. Sessions that read pages share all tables that have them, because they read
 * rows while the first `pg_dump` reads the catalog; a further `pg_dump` would read the catalog first.
 *
 * @param jobs the maximum number of connections that read rows
 */
export function planReading(tables: readonly LargeTable[], jobs: number): ReadingPlan {
  const connections = Math.min(jobs, MAX_CONNECTIONS)
  const paged = tables.filter(({ hasPages }) => hasPages)
  const enough = Math.floor(bytesOf(paged) / MIN_SHARE_BYTES)
  if (connections === 1 || enough < 2)
    return { dumps: shareAmongDumps(tables, connections), paged: [], sessions: 0 }
  const rest = tables.filter(({ hasPages }) => !hasPages)
  const left = connections - Math.round((bytesOf(rest) / bytesOf(tables)) * connections)
  const sessions = Math.max(2, Math.min(left, enough))
  return { dumps: shareAmongDumps(rest, Math.max(1, connections - sessions)), paged, sessions }
}

function bytesOf(tables: readonly LargeTable[]): number {
  return tables.reduce((sum, { bytes }) => sum + bytes, 0)
}

function shareAmongDumps(tables: readonly LargeTable[], connections: number): LargeTable[][] {
  return shareEvenly(tables, ({ bytes }) => bytes, connections)
    .slice(1)
    .filter(({ size }) => size >= MIN_SHARE_BYTES)
    .map(({ items }) => items)
}

/** Whether a plan takes more than one connection. */
export function isParallel({ dumps, paged }: ReadingPlan): boolean {
  return dumps.length + paged.length > 0
}
