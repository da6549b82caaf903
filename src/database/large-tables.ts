import { shareEvenly } from '../process/balance.ts'
import { DatabaseError, type Session } from './connection/session.ts'
import type { Contents } from './pg-dump.ts'

/** A table that is large enough to be dumped over its own connection; `bytes` is its size on the server's disk. */
export type LargeTable = { oid: string; schema: string; name: string; bytes: number }

/** For smaller tables, the queries about them cost more than a parallel dump saves. */
const MIN_LARGE_TABLE_BYTES = 1024 * 1024

/** Enough to share the work evenly, and few enough for the command line of every system. */
const MAX_LARGE_TABLES = 256

/** Gives up quickly if another session holds a lock: a parallel dump would only add to the contention. */
const LOCK_TIMEOUT = '1s'

/**
 * Returns the large tables among those that will be dumped, largest first. With `pg-dump-args` it returns none, because
 * they may change what is dumped.
 */
export async function readLargeTables(session: Session, contents: Contents): Promise<LargeTable[]> {
  if (contents.schemaOnly || contents.pgDumpArgs.length > 0) return []
  const included = await filter(session, contents)
  return (await readSizes(session)).filter(included).slice(0, MAX_LARGE_TABLES)
}

/** Leaves out tables of extensions, of which pg_dump takes only marked rows, and temporary tables. */
async function readSizes(session: Session): Promise<LargeTable[]> {
  await session.execute(`SET lock_timeout = '${LOCK_TIMEOUT}'`)
  try {
    return await session.query<LargeTable>(`
      SELECT * FROM (
        SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, pg_table_size(c.oid) AS bytes
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_depend AS d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      ) AS sizes WHERE bytes >= ${MIN_LARGE_TABLE_BYTES} ORDER BY bytes DESC, oid`)
  } catch (error) {
    if (error instanceof DatabaseError) return []
    throw error
  } finally {
    await session.execute('SET lock_timeout = 0')
  }
}

/** Returns which tables the patterns select, as `selectDumpableTable` in pg_dump.c does. */
async function filter(session: Session, contents: Contents): Promise<(table: LargeTable) => boolean> {
  const { tables, schemas, excludeTables, excludeSchemas, excludeTableData } = contents
  const relations = async (patterns: readonly string[]) => {
    const found = await listAll(session, 'relations', patterns)
    const names = new Set(found.map(([schema, name]) => `${schema}|${name}`))
    return ({ schema, name }: LargeTable) => names.has(`${schema}|${name}`)
  }
  const schemasOf = async (patterns: readonly string[]) => {
    const names = new Set((await listAll(session, 'schemas', patterns)).map(([name]) => name))
    return ({ schema }: LargeTable) => names.has(schema)
  }
  const named = await relations(tables)
  const inSchema = await schemasOf(schemas)
  const outOfSchema = await schemasOf(excludeSchemas)
  const excluded = await relations([...excludeTables, ...excludeTableData])
  const chosen = (table: LargeTable) => {
    if (tables.length > 0) return named(table)
    return (schemas.length === 0 || inSchema(table)) && !outOfSchema(table)
  }
  return (table) => chosen(table) && !excluded(table)
}

async function listAll(
  session: Session,
  what: 'relations' | 'schemas',
  patterns: readonly string[],
): Promise<string[][]> {
  const found: string[][] = []
  for (const pattern of patterns) found.push(...(await session.list(what, pattern)))
  return found
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
