import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  type LifecycleBench,
  startLifecycleBench,
  temporaries,
} from '../../../lab/benches/lifecycle-bench.ts'
import { findClients } from '../../../lab/postgres/clients.ts'
import { startPostgres } from '../../../lab/postgres/postgres.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: LifecycleBench
/** The dump of a small database. */
let app: string

before(async () => {
  bench = await startLifecycleBench()
  await bench.make('app', 'source')
  app = await bench.dump('app')
})
after(() => bench?.[Symbol.asyncDispose]())

/** Dumps a database and verifies the dump. */
async function verify(database: string, dumpInputs = {}, inputs = {}) {
  const key = await bench.dump(database, dumpInputs)
  return succeeded(await bench.run('verify', database, { 'dump-key': key, ...inputs }))
}

test('rows that pg_dump loads through the root of their partitions are counted as one tree, and any name is found', async () => {
  const { postgres } = bench
  await postgres.createDatabase('routed', "encoding 'LATIN1' template template0")
  // The hash of an enum depends on OIDs, so that the rows come to other partitions.
  const moods = Array.from({ length: 40 }, (_, n) => `'m${n}'`)
  await postgres.psql(
    'routed',
    `create type mood as enum (${moods.join()});
     create table moods (m mood, note text) partition by hash (m);
     ${[0, 1, 2, 3].map((n) => `create table moods_${n} partition of moods for values with (modulus 4, remainder ${n});`).join('')}
     insert into moods select m, n::text from unnest(enum_range(null::mood)) as m, generate_series(1, 3) as n;
     create table days (day int, note text) partition by range (day);
     create table days_1 partition of days for values from (1) to (50); create table days_2 partition of days default;
     insert into days select generate_series(1, 90);
     create table "löhne" as select 1 as n; create index "ü" on "löhne" (n); create schema a; create schema "a.b";
     create table a."b.c" as select 1 as n; create table "a.b"."c" as select generate_series(1, 3) as n`,
  )
  const { outputs, log } = await verify('routed', { 'pg-dump-args': '--load-via-partition-root' })
  assert.deepEqual([outputs['table-count'], outputs['row-count']], ['9', '215'])
  assert.match(log, /9 tables counted again/)
})

test('an owner of public, and row security forced on owners, do not fail a sound dump', async () => {
  const { postgres } = bench
  await postgres.psql(
    'postgres',
    `create role app login password 'app'; create role verifier login createdb password 'verifier'`,
  )
  await postgres.createDatabase('secured')
  await postgres.psql(
    'secured',
    `drop schema public cascade; create schema public authorization app;
     create table invoices (id int primary key, tenant text not null);
     insert into invoices values (1, 'acme'), (2, 'acme'), (3, 'umbrella');
     alter table invoices enable row level security; alter table invoices force row level security;
     create policy by_tenant on invoices using (tenant = current_setting('app.tenant', true))`,
  )
  const verifier = { user: 'verifier', password: 'verifier' }
  // With one job it is the same for the row security of databases/settings.test.ts.
  const { outputs } = await verify(
    'secured',
    {},
    {
      ...{ jobs: '2', 'database-url': postgres.url('postgres', verifier) },
      'verify-sql':
        "select count(*) = 3 from public.invoices\nselect not exists (select from pg_stat_activity where datname = 'template1')",
    },
  )
  assert.equal(outputs['row-count'], '3')
})

test('a dump of an older server is verified on a newer one', async () => {
  await using older = await startPostgres({ package: 'postgres-10' })
  await older.createDatabase('old')
  await older.psql(
    'old',
    `create table t (id serial primary key, at timestamptz default now(), constraint later check (id < 1000));
     insert into t select from generate_series(1, 5); create view v as select * from t;
     create table p (n int) partition by range (n); create table p_1 partition of p for values from (1) to (9);
     insert into p values (1), (2); create index on p_1 (n); create function f() returns trigger language plpgsql
     as 'begin return new; end'; create trigger tr before insert on t for each row execute procedure f();
     create domain d as int check (value > 0); create materialized view m as select * from t; grant all on t to public`,
  )
  const key = await bench.dump('old', { 'database-url': older.url('old') })
  const run = await bench.run('verify', 'postgres', { 'dump-key': key })
  assert.equal(succeeded(run).outputs['row-count'], '7')
})

test('what was left out on purpose is not counted as evidence', async () => {
  const { postgres } = bench
  await bench.make('provided', 'source')
  await postgres.psql('provided', 'create schema _heroku; create table _heroku.log as select 1 as id')
  const key = await bench.dump('provided')
  const counted = async (more: Record<string, string>) => {
    const run = succeeded(await bench.run('verify', 'provided', { 'dump-key': key, ...more }))
    assert.deepEqual([run.outputs['table-count'], run.outputs['row-count']], ['1', '1'])
    return run
  }
  const { warnings, summary } = await counted({ provider: 'heroku' })
  assert.match(warnings.join('\n'), /Left out: TABLE DATA _heroku\.log/)
  assert.match(summary, /\| Tables \| 2 \| ✅ 1 counted again, 1 left out \|/)
  await counted({ 'pg-restore-args': '--schema=public\n--no-comments', provider: 'none', jobs: '2' })
})

const skip =
  findClients().some(({ major }) => major >= 18) && 'a client of this machine can dump PostgreSQL 18'

test('verify on a server that no client can dump says so before it restores', { skip }, async () => {
  await using newer = await startPostgres({ package: 'postgres-18' })
  const run = await bench.run('verify', 'app', { 'dump-key': app, 'database-url': newer.url('app') })
  failed(run, /PostgreSQL 18 needs a client of major 18 or newer; found: 15/)
  assert.doesNotMatch(run.log, /Restore into/)
  assert.deepEqual(await temporaries({ postgres: newer }), [])
})

test('errors of verify do not speak of a target', async () => {
  const bytes = readFileSync(join(bench.folder, app))
  bytes[bytes.length - 1]! ^= 1
  writeFileSync(join(bench.folder, app), bytes)
  const run = await bench.run('verify', 'app', { 'dump-key': app })
  failed(run, /damaged/)
  assert.doesNotMatch(run.log, /target/)
})
