import { shareEvenly } from '../process/balance.ts'
import { DatabaseError, type Session } from './connection/session.ts'
import type { Contents } from './pg-dump.ts'

/** A table whose data are worth a connection of their own; `bytes` is what it has on the server's disk. */
export type LargeTable = { oid: string; schema: string; name: string; bytes: number }

/** Smaller ones cost more in questions about them than they give. */
const LARGE = 1024 * 1024

/** Enough to share the work evenly, and a command line that every system takes. */
const MOST = 256

/** How long a lock may keep us from a size: then somebody changes tables, and one connection is enough of a bother. */
const PATIENCE = '1s'

/**
 * The large tables among those that will be dumped, largest first. None when arguments of the user's may mean that
 * something else is dumped than it seems.
 */
export async function readLargeTables(session: Session, contents: Contents): Promise<LargeTable[]> {
  if (contents.schemaOnly || contents.pgDumpArgs.length > 0) return []
  const included = await filter(session, contents)
  return (await readSizes(session)).filter(included).slice(0, MOST)
}

/** Of extensions, pg_dump takes only what they mark, and of temporary tables nothing. */
async function readSizes(session: Session): Promise<LargeTable[]> {
  await session.execute(`SET lock_timeout = '${PATIENCE}'`)
  try {
    return await session.query<LargeTable>(`
      SELECT * FROM (
        SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, pg_table_size(c.oid) AS bytes
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_depend AS d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      ) AS sizes WHERE bytes >= ${LARGE} ORDER BY bytes DESC, oid`)
  } catch (error) {
    if (error instanceof DatabaseError) return []
    throw error
  } finally {
    await session.execute('SET lock_timeout = 0')
  }
}

/** The tables that the patterns let through, as `selectDumpableTable` in pg_dump.c decides. */
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

/** A connection costs the server a process, and one table is the most that it can have alone. */
const MOST_CONNECTIONS = 8

/** Less than this is dumped before a further pg_dump has read the catalogue. */
const WORTH_A_CONNECTION = 32 * 1024 * 1024

/**
 * Shares large tables among connections, so that all have about the same to do.
 *
 * @param jobs at most so many connections, one of which dumps everything that is not in the result
 * @returns the tables of each further connection
 */
export function shareTables(tables: readonly LargeTable[], jobs: number): LargeTable[][] {
  return shareEvenly(tables, ({ bytes }) => bytes, Math.min(jobs, MOST_CONNECTIONS))
    .slice(1)
    .filter(({ size }) => size >= WORTH_A_CONNECTION)
    .map(({ items }) => items)
}
