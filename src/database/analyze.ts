import { identifier, type Session } from './connection/session.ts'

/** The first major version with `ANALYZE` of several tables in one statement. */
const FIRST_MAJOR_WITH_LISTS = 11

/**
 * Collects the planner's statistics of a whole database. A dump does not contain them, and without them queries are slow.
 *
 * @param open opens another session in the database
 */
export async function analyzeDatabase(
  { open, major }: { open: () => Promise<Session>; major: number },
  jobs: number,
): Promise<void> {
  await using session = await open()
  const shares = major < FIRST_MAJOR_WITH_LISTS || jobs === 1 ? [] : await shareTables(session, jobs)
  if (shares.length < 2) return await session.execute('ANALYZE')
  const [own, ...others] = shares.map((tables) => `ANALYZE ${tables.join(', ')}`)
  const elsewhere = others.map(async (statement) => {
    await using other = await open()
    await other.execute(statement)
  })
  await Promise.all([session.execute(own!), ...elsewhere])
}

/** Divides the tables that `ANALYZE` visits (get_all_vacuum_rels in vacuum.c); large tables go to different shares. */
async function shareTables(session: Session, jobs: number): Promise<string[][]> {
  const tables = await session.query<{ schema: string; name: string }>(`
    SELECT n.nspname AS schema, c.relname AS name
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'
    ORDER BY pg_relation_size(c.oid) DESC NULLS LAST`)
  const shares = Array.from({ length: Math.min(jobs, tables.length) }, (): string[] => [])
  for (const [index, { schema, name }] of tables.entries())
    shares[index % shares.length]!.push(`${identifier(schema)}.${identifier(name)}`)
  return shares
}
