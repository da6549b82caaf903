import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { readTables } from '../../../lab/postgres/compare.ts'
import { type Postgres, startPostgres } from '../../../lab/postgres/postgres.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

/** Dumps are made here by a superuser, and restored on another server by a role that may only create databases. */
let bench: Bench
let target: Postgres

before(async () => {
  bench = await startBench({ settings: { wal_level: 'logical' }, ownPrograms: true })
  target = await startPostgres()
  await target.psql(
    'postgres',
    `create role plain login createdb password 'simple-canary'; create role reader`,
  )
})
after(async () => {
  await target?.[Symbol.asyncDispose]()
  await bench?.[Symbol.asyncDispose]()
})

/** Makes a database on the source's server and dumps it. */
async function dumpOf(name: string, sql: string): Promise<string> {
  await bench.postgres.createDatabase(name)
  await bench.postgres.psql(name, sql)
  const key = await bench.dump('folder', name)
  dumps.set(name, key)
  return key
}

/** The keys of the dumps by database: later tests restore them too. */
const dumps = new Map<string, string>()

const plain = { user: 'plain', password: 'simple-canary' }
const as = {
  plain: (database: string) => target.url(database, plain),
  superuser: (database: string) => target.url(database),
}

const restore = (key: string, url: string, more = {}) =>
  bench.run('restore', 'folder', '', { 'dump-key': key, 'database-url': url, ...more })

/** An extension that only the source's server has, with the files that an extension is made of. */
function addExtension(name: string, sql: string): void {
  const folder = join(dirname(bench.postgres.dataDir), 'server/share/postgresql/extension')
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, `${name}.control`),
    `comment = 'for a test'\ndefault_version = '1.0'\nsuperuser = true\n`,
  )
  writeFileSync(join(folder, `${name}--1.0.sql`), sql)
}

/** What the target's server was told to do since `start`, a place in its log. */
const statements = (start: number) => target.log().slice(start)

const DEMANDING = `
  create extension citext; comment on extension citext is 'mine';
  create role absent; create role reader;
  create table orders (id serial primary key, email citext, note text);
  insert into orders (email, note) select n || '@Example.com', n from generate_series(1, 50) n;
  alter table orders enable row level security;
  create policy of_absent on orders to absent using (true);
  create policy "for, both" on orders as restrictive for select to reader, absent using (note <> ' TO absent USING (');
  create policy of_all on orders using (true);
  create function log_ddl() returns event_trigger language plpgsql as 'begin end';
  create event trigger log_ddl on ddl_command_end execute function log_ddl();
  comment on event trigger log_ddl is 'watches';
  create publication everything for all tables; create publication partial for table orders;
  create subscription other connection 'dbname=nowhere' publication p with (connect = false);
  comment on schema public is 'changed';
  select setval('orders_id_seq', 777);
  create materialized view z_first as select count(*) as n from orders;
  create materialized view m_second as select n * 2 as n from z_first;
  create materialized view a_third as select n + (select n from z_first) as n from m_second;
`

test('#28 a role with CREATEDB restores what needs a superuser to be made, without that', async () => {
  const key = await dumpOf('demanding', DEMANDING)
  const run = succeeded(await restore(key, as.plain('arrived')))
  assert.deepEqual(await readTables(target, 'arrived'), await readTables(bench.postgres, 'demanding'))
  assert.equal(
    await target.psql('arrived', 'select (select n from a_third), last_value from orders_id_seq'),
    '150|777',
  )
  assert.equal(
    await target.psql('arrived', `select policyname, roles, permissive, qual from pg_policies order by 1`),
    `for, both|{reader}|RESTRICTIVE|(note <> ' TO absent USING ('::text)\nof_all|{public}|PERMISSIVE|true`,
  )
  assert.equal(await target.psql('arrived', 'select pubname from pg_publication'), 'partial')
  assert.equal(await target.psql('arrived', 'select count(*) from pg_event_trigger, pg_subscription'), '0')
  assert.equal(await target.psql('arrived', "select reltuples from pg_class where relname = 'orders'"), '50')
  const warnings = run.warnings.filter((text) => text.startsWith('Left out: ')).sort()
  assert.equal(warnings.length, 4, run.log)
  assert.match(
    warnings[0]!,
    /^Left out: EVENT TRIGGER log_ddl, COMMENT EVENT TRIGGER log_ddl: "plain" may not create event triggers$/,
  )
  assert.match(
    warnings[1]!,
    /^Left out: POLICY public\.orders of_absent: they are for roles that the server does not have$/,
  )
  assert.match(
    warnings[2]!,
    /^Left out: PUBLICATION everything: "plain" may not create publications of all tables$/,
  )
  assert.match(warnings[3]!, /^Left out: SUBSCRIPTION other: a copy must not take over/)
  assert.match(run.log, /Not needed: COMMENT EXTENSION citext/)
  assert.match(run.summary, /Left out: EVENT TRIGGER log/)
  // Nothing was tried in vain, apart from what tells what the role may do.
  assert.doesNotMatch(run.log, /tolerated/)
})

test('a superuser restores all of it but the subscription', async () => {
  const key = dumps.get('demanding')!
  const run = succeeded(await restore(key, as.superuser('whole')))
  assert.equal(await target.psql('whole', 'select evtname from pg_event_trigger'), 'log_ddl')
  assert.equal(await target.psql('whole', 'select count(*) from pg_publication'), '2')
  assert.equal(
    await target.psql('whole', "select obj_description(oid) from pg_extension where extname = 'citext'"),
    'mine',
  )
  assert.equal(run.warnings.filter((text) => text.startsWith('Left out: ')).length, 2)
})

test('#28 provider: none leaves nothing out, so that the restore fails', async () => {
  const key = dumps.get('demanding')!
  failed(
    await restore(key, as.plain('none'), { provider: 'none' }),
    /pg_restore failed: .*(superuser|role "absent")/,
  )
  assert.ok(!(await target.databases()).includes('none'))
})

test('copy and verify follow the same rules', async () => {
  const copy = { 'source-database-url': bench.postgres.url('demanding'), 'database-url': as.plain('copied') }
  const copied = succeeded(await bench.run('copy' as 'restore', 'folder', '', copy))
  assert.match(copied.summary, /Left out.*SUBSCRIPTION other/)
  assert.deepEqual(await readTables(target, 'copied'), await readTables(bench.postgres, 'demanding'))
  const key = dumps.get('demanding')!
  const verify = { 'dump-key': key, 'database-url': as.plain('copied') }
  const verified = succeeded(await bench.run('verify' as 'restore', 'folder', '', verify))
  assert.match(verified.summary, /Left out: EVENT TRIGGER log/)
})

test('#28 missing extensions are named before anything is restored', async () => {
  addExtension('shapes', 'create type @extschema@.shape as (x int);')
  addExtension('untouched', '')
  const key = await dumpOf(
    'geometry',
    `create extension shapes; create extension untouched; create extension postgres_fdw;
     create table t (s shape); create table u ()`,
  )
  const start = target.log().length
  const sentence =
    /^The dump has extensions that "plain" cannot create on PostgreSQL \d+\.\d+: postgres_fdw \(permission denied to create extension "postgres_fdw"\), shapes \(TABLE public\.t needs it\), untouched\. Nothing was restored\. Install or allow them there, or leave them out of the dump$/
  const databases = await target.databases()
  const run = failed(await restore(key, as.plain('unmade')), sentence)
  assert.doesNotMatch(statements(start), /create table|create extension[^;]*(shapes|untouched)/i)
  await assertNothingLeft({
    run,
    postgres: target,
    databases,
    folder: bench.folder,
    secrets: [plain.password],
  })
})

test('tolerate-errors lets a missing extension pass', async () => {
  const tolerated = {
    'tolerate-errors':
      'extension "(shapes|untouched)"\ntype "public.shape" does not exist\nrelation "public.t" does not exist',
  }
  const key = dumps.get('geometry')!
  const run = succeeded(await restore(key, as.superuser('tolerant'), { ...tolerated, jobs: '1' }))
  assert.match(run.log, /tolerated .*extension "shapes" is not available/)
  assert.equal(
    await target.psql('tolerant', "select extname from pg_extension where extname ~ 'fdw'"),
    'postgres_fdw',
  )
})

test('an extension of housekeeping is left out with its tables, and said', async () => {
  addExtension(
    'pg_cron',
    `create schema cron; create table cron.job (id int); select pg_extension_config_dump('cron.job', '');`,
  )
  const key = await dumpOf(
    'scheduled',
    `create extension pg_cron; insert into cron.job values (1); create table t as select 1 as a;
     create schema realtime; create table realtime.mine as select 1 as a`,
  )
  const run = succeeded(await restore(key, as.plain('unscheduled')))
  assert.match(
    run.warnings.join('\n'),
    /Left out: TABLE DATA cron\.job, EXTENSION pg_cron.*: the server does not have the extension pg_cron, and nothing else in the dump needs it/,
  )
  assert.equal(run.outputs['table-count'], '2')
  // A user's own schema is not taken for a provider's, even when that provider is named.
  succeeded(await restore(key, as.plain('homonym'), { provider: 'supabase' }))
  for (const name of ['unscheduled', 'homonym'])
    assert.deepEqual([...(await readTables(target, name)).keys()], ['public.t', 'realtime.mine'], name)
})

const HEROKU = `
  create role heroku_admin superuser;
  set role heroku_admin;
  create schema _heroku; create schema heroku_ext;
  create table _heroku.log (id int); insert into _heroku.log values (1);
  create function _heroku.validate() returns event_trigger language plpgsql as $$ begin raise exception 'not here'; end $$;
  reset role;
  create extension hstore schema heroku_ext;
  create table users (id int, tags heroku_ext.hstore); insert into users values (1, 'a=>b');
  create event trigger validate_extension on ddl_command_end when tag in ('CREATE EXTENSION')
    execute function _heroku.validate();
`

test("a dump of Heroku's, restored by a superuser", async () => {
  const key = await dumpOf('heroku', HEROKU)
  const run = succeeded(await restore(key, as.superuser('heroku')))
  assert.match(run.log, /The dump comes from Heroku/)
  assert.match(
    run.warnings.join('\n'),
    /Left out: TABLE DATA _heroku\.log, .*: schema _heroku is internal to Heroku/,
  )
  assert.deepEqual([...(await readTables(target, 'heroku')).keys()], ['public.users'])
  assert.equal(await target.psql('heroku', 'select heroku_ext.hstore_to_json(tags) from users'), '{"a": "b"}')
  assert.equal(
    await target.psql('heroku', "select count(*) from pg_namespace where nspname = '_heroku'"),
    '0',
  )
})

const SUPABASE = `
  create role supabase_admin; create role authenticated;
  create schema auth authorization supabase_admin; create schema realtime authorization supabase_admin;
  create schema _realtime authorization supabase_admin; create schema graphql_public authorization supabase_admin;
  create extension supabase_vault schema vault;
  set role supabase_admin;
  create table auth.users (id int primary key, email text); insert into auth.users values (1, 'a@example.com');
  create table realtime.messages (id int); insert into realtime.messages values (1);
  create function realtime.changed() returns trigger language plpgsql as 'begin return new; end';
  create table _realtime.tenants (id int);
  reset role;
  create table profiles (id int references auth.users, bio text); insert into profiles values (1, 'hello');
  alter table profiles enable row level security;
  create policy own on profiles to authenticated using (true);
  create trigger notify after insert on profiles for each row execute function realtime.changed();
  create view graphql_public.kept as select * from profiles;
  create view uses_machinery as select * from _realtime.tenants;
`

test("a dump of Supabase's: users stay, internal schemas go, unless something needs it", async () => {
  addExtension(
    'supabase_vault',
    `create table @extschema@.secrets (id int); select pg_extension_config_dump('@extschema@.secrets', '');`,
  )
  const key = await dumpOf(
    'supabase',
    `create schema vault; ${SUPABASE}; insert into vault.secrets values (1)`,
  )
  const run = succeeded(await restore(key, as.plain('moved')))
  const tables = await readTables(target, 'moved')
  assert.deepEqual([...tables.keys()].sort(), ['_realtime.tenants', 'auth.users', 'public.profiles'])
  assert.deepEqual(tables.get('auth.users'), (await readTables(bench.postgres, 'supabase')).get('auth.users'))
  const said = run.warnings.join('\n')
  assert.match(said, /TABLE DATA realtime\.messages.*: schema realtime is internal to Supabase/)
  assert.match(said, /TABLE DATA vault\.secrets.*: the server does not have the extension supabase_vault/)
  assert.match(said, /POLICY public\.profiles own: they are for roles/)
  assert.match(said, /TRIGGER public\.profiles notify/)
})

test('a function that finds its tables only by a search_path is explained', async () => {
  const key = await dumpOf(
    'unqualified',
    `create table t as select 1 as a;
     create function total() returns bigint language plpgsql as 'begin return (select sum(a) from t); end';
     create materialized view totals as select total()`,
  )
  failed(
    await restore(key, as.plain('unqualified')),
    /relation "t" does not exist.*A function that the restore calls for a materialized view/,
  )
})

test('in place, extensions and schemas of another owner stay as they are', async () => {
  await target.createDatabase('fixed', 'owner plain')
  await target.psql(
    'fixed',
    `create schema heroku_ext; create extension hstore schema heroku_ext; grant usage on schema heroku_ext to plain`,
  )
  const key = dumps.get('heroku')!
  const inPlace = { swap: 'false', overwrite: 'true' }
  for (const _ of ['first', 'again']) {
    const run = succeeded(await restore(key, as.plain('fixed'), inPlace))
    assert.match(run.log, /Not needed: EXTENSION hstore: the database already has these extensions/)
    assert.match(run.warnings.join('\n'), /Left out: .*: schema _heroku is internal to Heroku/)
  }
  assert.equal(await target.psql('fixed', 'select id, tags from users'), '1|"a"=>"b"')
  assert.equal(
    await target.psql('fixed', 'select extowner::regrole from pg_extension where extname = $$hstore$$'),
    'postgres',
  )
})
