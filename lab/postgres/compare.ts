import { type Postgres, quoteIdentifier } from './postgres.ts'
import { schemaQueries } from './schema-queries.ts'
import type { Session } from './session.ts'

/** What a table holds: number of rows, and a hash that does not depend on their order. */
export interface TableContent {
  rows: number
  hash: string
}

/** Options of a comparison. */
export interface CompareOptions {
  /** Compare owners and grants as well. */
  ownersAndGrants?: boolean
}

/** Compares two databases in everything that a copy must carry; says each difference in a line. */
export async function compareDatabases(
  postgresA: Postgres,
  databaseA: string,
  postgresB: Postgres,
  databaseB: string,
  options: CompareOptions = {},
): Promise<string[]> {
  const [a, b] = await Promise.all([
    describeDatabase(postgresA, databaseA, options),
    describeDatabase(postgresB, databaseB, options),
  ])
  const names = [...new Set([...a.keys(), ...b.keys()])].sort()
  return names.flatMap((name) => {
    const [left, right] = [a.get(name), b.get(name)]
    if (left === right) return []
    if (right === undefined) return [`${name} is missing`]
    if (left === undefined) return [`${name} is new`]
    return [`${name} differs: ${shorten(left)} ≠ ${shorten(right)}`]
  })
}

/** Counts and hashes the rows of every table and materialised view, by qualified name. */
export async function readTables(postgres: Postgres, database: string): Promise<Map<string, TableContent>> {
  await using session = await openForReading(postgres, database)
  const tables = await session.query<{ schema: string; name: string }>(`
    select nspname as schema, relname as name from pg_catalog.pg_class join pg_catalog.pg_namespace n on n.oid = relnamespace
    where relkind in ('r', 'm') and relispopulated and nspname !~ '^pg_' and nspname <> 'information_schema' order by 1, 2`)
  const contents = new Map<string, TableContent>()
  for (const { schema, name } of tables) {
    const [content] = await session.query<TableContent>(`
      select count(*) as rows, coalesce(sum(pg_catalog.hashtextextended(t::text, 0)::numeric), 0)::text as hash
      from only ${quoteIdentifier(schema)}.${quoteIdentifier(name)} as t`)
    contents.set(`${schema}.${name}`, content!)
  }
  return contents
}

/** One line of text for every table content and schema object, by kind and name. */
async function describeDatabase(
  postgres: Postgres,
  database: string,
  options: CompareOptions,
): Promise<Map<string, string>> {
  const tables = await readTables(postgres, database)
  const all = [...tables].map(
    ([name, { rows, hash }]) => [`rows of ${name}`, `${rows} rows, hash ${hash}`] as const,
  )
  await using session = await openForReading(postgres, database)
  const { ownersAndGrants, ...always } = schemaQueries
  const queries: Record<string, string> = options.ownersAndGrants ? { ...always, ownersAndGrants } : always
  const objects: [string, string][] = []
  for (const [kind, sql] of Object.entries(queries)) {
    const rows = await session.query<{ name: string; definition: string | null }>(sql)
    objects.push(...rows.map((row): [string, string] => [`${kind} ${row.name}`, row.definition ?? '']))
  }
  return new Map([...all, ...objects])
}

/** Text forms of values must not depend on the settings of the database. */
async function openForReading(postgres: Postgres, database: string): Promise<Session> {
  const session = await postgres.connect(database)
  await session.query(`
    set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres'; set bytea_output = 'hex';
    set extra_float_digits = 1; set search_path = ''; set row_security = off`)
  return session
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

/** All that pg_database and its shared catalogues say about a database, but for its oid and what changes by itself. */
export async function readCatalogue(postgres: Postgres, name: string): Promise<unknown> {
  const [row] = await postgres.query(
    'postgres',
    `select (to_jsonb(d) - '{oid,datfrozenxid,datminmxid,datacl}'::text[])
       || jsonb_build_object('owner', datdba::regrole, 'tablespace', dattablespace,
         'acl', (select array_agg(a::text order by a::text) from unnest(datacl) a),
         'comment', shobj_description(oid, 'pg_database'),
         'settings', (select jsonb_object_agg(setrole::regrole, setconfig) from pg_db_role_setting where setdatabase = d.oid)) as row
     from pg_database d where datname = $1`,
    [name],
  )
  return row
}
