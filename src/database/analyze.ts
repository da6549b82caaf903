import { shareEvenly } from '../process/balance.ts'
import { log } from '../report/log.ts'
import { hideValues } from '../report/neutralise.ts'
import { DatabaseError, identifier, type Session } from './connection/session.ts'
import { freeConnections } from './free-connections.ts'

/** The first major version with `ANALYZE` of several tables in one statement. */
const FIRST_MAJOR_WITH_LISTS = 11

/** How to open sessions in a database, and the major version of its server. */
type Analyzed = { open: () => Promise<Session>; major: number }

/**
 * Collects the planner's statistics of a whole database. A dump does not contain them, and without them queries are slow.
 * A table that cannot be analyzed is a warning, because all of its rows are there.
 */
export async function analyzeDatabase(database: Analyzed, jobs: number): Promise<void> {
  await using session = await database.open()
  await analyzeWith(session, database, jobs)
}

/** As `analyzeDatabase`, with a session in the database that is open already. Others are opened where that is worthwhile. */
export async function analyzeWith(session: Session, { open, major }: Analyzed, jobs: number): Promise<void> {
  const shares = major < FIRST_MAJOR_WITH_LISTS || jobs === 1 ? [] : await shareTables(session, jobs)
  if (shares.length < 2) return await analyze(session, null)
  const [own, ...others] = shares
  const elsewhere = others.map(async (tables) => {
    await using other = await open()
    await analyze(other, tables)
  })
  await Promise.all([analyze(session, own!), ...elsewhere])
}

/**
 * Analyzes some tables, or all. It evaluates expressions of indexes and of extended statistics, which may fail for a row. One
 * failure ends the statement, so the tables are then analyzed one by one.
 */
async function analyze(session: Session, tables: readonly string[] | null): Promise<void> {
  try {
    await session.execute(tables ? `ANALYZE ${tables.join(', ')}` : 'ANALYZE')
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    for (const table of tables ?? divide(await readTables(session), 1)[0]!) await analyzeTable(session, table)
  }
}

async function analyzeTable(session: Session, table: string): Promise<void> {
  try {
    await session.execute(`ANALYZE ${table}`)
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    log.warning(
      `The table ${table} is restored, but ANALYZE fails, so queries on it may be slow: ${hideValues(error.message)}; correct the expression of its statistics or indexes`,
    )
  }
}

/** Shares the tables among as many sessions as are worthwhile and may connect. */
async function shareTables(session: Session, jobs: number): Promise<string[][]> {
  const tables = await readTables(session)
  const shares = divide(tables, jobs)
  if (shares.length === 1) return shares
  // One connection stays free: the caller may need it meanwhile.
  return divide(tables, Math.max(1, Math.min(jobs, await freeConnections(session))))
}

/** By default ANALYZE reads at most this many pages of a table: a sample of 300 rows × default_statistics_target (analyze.c). */
const MAX_SAMPLED_PAGES = 30_000

/** Fewer pages are read before another session has connected. */
const MIN_PAGES_PER_SESSION = 1000

type Table = { schema: string; name: string; pages: number }

/** Reads the tables that `ANALYZE` visits (get_all_vacuum_rels in vacuum.c), and how many pages it reads of each. */
function readTables(session: Session): Promise<Table[]> {
  return session.query<Table>(`
    SELECT n.nspname AS schema, c.relname AS name,
           greatest(1, least(pg_relation_size(c.oid) / current_setting('block_size')::int, ${MAX_SAMPLED_PAGES})) AS pages
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'`)
}

/** Divides tables among sessions by their pages. */
function divide(tables: readonly Table[], jobs: number): string[][] {
  const all = tables.reduce((sum, { pages }) => sum + pages, 0)
  const worthwhile = Math.max(1, Math.floor(all / MIN_PAGES_PER_SESSION))
  // Beside one large table there may be only small ones.
  let shares = shareEvenly(tables, ({ pages }) => pages, Math.min(jobs, worthwhile))
  while (shares.length > 1 && shares.some(({ size }) => size < MIN_PAGES_PER_SESSION))
    shares = shareEvenly(tables, ({ pages }) => pages, shares.length - 1)
  return shares.map(({ items }) =>
    items.map(({ schema, name }) => `${identifier(schema)}.${identifier(name)}`),
  )
}
