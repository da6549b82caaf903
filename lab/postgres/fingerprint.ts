import { type Postgres, quoteIdentifier } from './postgres.ts'
import type { Session } from './session.ts'

const own = "nspname !~ '^pg_' and nspname <> 'information_schema'"

/** Objects by kind and name, in terms that every server from 10 on answers alike. */
const OBJECTS = `
  select 'relation ' || relkind::text || relpersistence::text || ' ' || c.oid::regclass from pg_class c join pg_namespace n on n.oid = relnamespace where ${own}
  union all
  select format('column %s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull)
    from pg_attribute a join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = relnamespace
    where ${own} and relkind in ('r', 'p', 'v', 'm', 'c') and attnum > 0 and not attisdropped
  union all select 'extension ' || extname from pg_extension
  union all select 'constraint ' || conname || ' ' || pg_get_constraintdef(k.oid) from pg_constraint k join pg_namespace n on n.oid = connamespace
    where ${own} and contype in ('p', 'u', 'c', 'f')
  union all select 'function ' || p.oid::regprocedure || ' ' || md5(prosrc) from pg_proc p join pg_namespace n on n.oid = pronamespace
    where ${own} and not exists (select from pg_depend d where d.objid = p.oid and deptype = 'e')
  union all select 'trigger ' || tgname || ' ' || md5(replace(pg_get_triggerdef(oid), 'EXECUTE FUNCTION', 'EXECUTE PROCEDURE'))
    from pg_trigger where not tgisinternal
  union all select 'event trigger ' || evtname || ' ' || evttags::text from pg_event_trigger
  union all select 'policy ' || polname || ' ' || polrelid::regclass from pg_policy
  union all select 'publication ' || pubname || ' ' || pubinsert || pubupdate || pubdelete from pg_publication
  union all select 'sequence ' || schemaname || sequencename || ' ' || coalesce(last_value::text, 'unused') from pg_sequences
  union all select 'label ' || enumlabel || ' ' || enumsortorder from pg_enum
  union all select 'statistics ' || stxname from pg_statistic_ext
  union all select 'comment ' || description from pg_description where classoid = 'pg_class'::regclass and objoid >= 16384
  union all select 'large object ' || oid || ' ' || md5(lo_get(oid)) from pg_largeobject_metadata
  order by 1`

/** Every table and materialised view with its rows and a hash of them, and every object, for comparing servers of any two versions. */
export async function fingerprint(postgres: Postgres, database: string): Promise<string[]> {
  await using session = await postgres.connect(database)
  // Before 12, floats have other digits unless they are rounded.
  await session.query(
    `set timezone = 'UTC'; set extra_float_digits = 0; set bytea_output = 'hex'; set search_path = ''`,
  )
  const tables = await session.query<{ schema: string; name: string }>(`
    select nspname as schema, relname as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = relnamespace
    where relkind in ('r', 'm') and ${own} order by 1, 2`)
  const lines: string[] = []
  for (const table of tables) lines.push(await tableLine(session, table))
  return [...lines, ...(await session.text(OBJECTS)).split('\n')]
}

async function tableLine(
  session: Session,
  { schema, name }: { schema: string; name: string },
): Promise<string> {
  const table = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
  const rows = `select md5(t::text) as hash from only ${table} as t`
  const content = await session.text(
    `select count(*) || ' rows ' || coalesce(md5(string_agg(hash, '' order by hash)), '') from (${rows}) as r`,
  )
  return `${table} ${content}`
}

/** What a copy lacks or has too much, a line each. */
export function compareFingerprints(expected: readonly string[], found: readonly string[]): string[] {
  return [
    ...expected.filter((line) => !found.includes(line)).map((line) => `without ${line}`),
    ...found.filter((line) => !expected.includes(line)).map((line) => `with ${line}`),
  ]
}
