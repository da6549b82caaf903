import { type Postgres, quoteIdentifier } from './postgres.ts'
import type { Session } from './session.ts'

/** Quotes the table of a constraint with its schema, as text. */
const TABLE = `(select format('%I.%I', n.nspname, r.relname) from pg_class r join pg_namespace n on n.oid = r.relnamespace where r.oid = `

/**
 * Returns every constraint and index that the rows of a database break. All are checked again: foreign keys, CHECK constraints and
 * those of domains by VALIDATE, keys and exclusion constraints by REINDEX, and foreign keys by joins of their own too.
 */
export async function brokenConstraints(postgres: Postgres, database: string): Promise<string[]> {
  await using session = await postgres.connect(database)
  await session.query('set search_path = pg_catalog')
  const unchecked = await session.query<{ name: string }>(
    `select conname::text as name from pg_constraint where not convalidated`,
  )
  return [
    ...unchecked.map(({ name }) => `${name} is not validated`),
    ...(await orphans(session)),
    ...(await failures(session, await checks(session))),
  ]
}

/** Returns the foreign keys that have rows without a row that they refer to. */
async function orphans(session: Session): Promise<string[]> {
  const keys = await session.query<{ name: string; count: string }>(`
    select conname::text as name, format('select count(*) as rows from %s as f where (%s) is not null and not exists (select from %s as k where (%s) = (%s))',
      ${TABLE} c.conrelid), string_agg(format('f.%I', a.attname), ', ' order by n),
      ${TABLE} c.confrelid), string_agg(format('k.%I', b.attname), ', ' order by n), string_agg(format('f.%I', a.attname), ', ' order by n)) as count
    from pg_constraint c, unnest(conkey, confkey) with ordinality as k (own, other, n), pg_attribute a, pg_attribute b
    where contype = 'f' and a.attrelid = conrelid and a.attnum = own and b.attrelid = confrelid and b.attnum = other
    group by c.oid, conname, conrelid, confrelid`)
  const found: string[] = []
  // Operators of extensions, such as citext's, are in public.
  await session.query('set search_path = pg_catalog, public')
  for (const { name, count } of keys) {
    const [row] = await session.query<{ rows: number }>(count)
    if (row!.rows > 0) found.push(`${name} has ${row!.rows} orphans`)
  }
  return found
}

/** Constraints of users whose rows VALIDATE checks. */
const OWN = `contype in ('f', 'c') and connamespace::regnamespace::text !~ '^(pg_|information_schema)'`

type Check = { name: string; statement: string }

/** Returns statements that check every constraint and index. */
async function checks(session: Session): Promise<Check[]> {
  return await session.query<Check>(`
    select conname::text as name, case when contypid = 0
        then format('alter table %s validate constraint %I', ${TABLE} conrelid), conname)
        else format('alter domain %s validate constraint %I', contypid::regtype, conname) end as statement
    from pg_constraint where ${OWN}
    union all
    select indexrelid::regclass::text, format('reindex index %s', indexrelid::regclass)
    from pg_index join pg_class c on c.oid = indexrelid
    where relkind = 'i' and relnamespace::regnamespace::text !~ '^pg_' and indisunique or indisexclusion`)
}

async function failures(session: Session, all: readonly Check[]): Promise<string[]> {
  const found: string[] = []
  // VALIDATE passes over what was validated.
  await session.query(`update pg_constraint set convalidated = false where ${OWN}`)
  for (const { name, statement } of all) {
    try {
      await session.query(statement)
    } catch (error) {
      found.push(`${name}: ${(error as Error).message}`)
    }
  }
  return found
}

/** Returns how many rows each table has, and how many values each of its columns that are not NULL. */
export async function countValues(postgres: Postgres, database: string): Promise<Map<string, number>> {
  await using session = await postgres.connect(database)
  const tables = await session.query<{ schema: string; name: string; columns: string[] }>(`
    select nspname::text as schema, relname::text as name,
      coalesce((select json_agg(attname::text order by attname) from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped), '[]') as columns
    from pg_class c join pg_namespace n on n.oid = relnamespace
    where relkind in ('r', 'm') and nspname !~ '^pg_' and nspname <> 'information_schema'`)
  const counts = new Map<string, number>()
  for (const { schema, name, columns } of tables) {
    const values = columns.map((column, n) => `count(${quoteIdentifier(column)}) as "${n}"`)
    const [row] = await session.query<Record<string, number>>(
      `select ${['count(*) as rows', ...values].join(', ')} from only ${quoteIdentifier(schema)}.${quoteIdentifier(name)}`,
    )
    counts.set(`${schema}.${name}`, row!.rows!)
    for (const [n, column] of columns.entries()) counts.set(`${schema}.${name}.${column}`, row![n]!)
  }
  return counts
}
