import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

// What a database, a role and policies decide about a session is in force where the application would see it, and nowhere
// where it would end or falsify the work of the step.

let bench: Bench
let workspace: string
/** Of the dump that the first test makes. */
let limits: string

const sql = (database: string, text: string) => bench.postgres.psql(database, text)
const as = (user: string, database: string) => ({
  'database-url': bench.postgres.url(database, { user, password: 'pw' }),
})
const hook = (name: string, text: string) => {
  writeFileSync(join(workspace, name), text)
  return name
}

before(async () => {
  bench = await startBench()
  workspace = tempFolder('workspace').path
  // Everything that ends a session or keeps it from writing, on the role.
  await sql(
    'postgres',
    `create role deploy login createdb password 'pw'; alter role deploy set idle_session_timeout = '1s';
     alter role deploy set default_transaction_read_only = on; alter role deploy set statement_timeout = '900ms';
     alter role deploy set idle_in_transaction_session_timeout = '900ms'; alter role deploy set array_nulls = off`,
  )
})
after(() => bench?.[Symbol.asyncDispose]())

test('#52 limits of a role end neither a restore nor its hooks, with one job and with several', async () => {
  await bench.postgres.createDatabase('limits', 'owner deploy')
  await sql(
    'limits',
    `create table t as select generate_series(1, 10) as id, array[null, 'NULL'] as list;
     create materialized view slow as select id, pg_sleep(0.25) is null as paused from t`,
  )
  limits = await bench.dump('folder', 'limits')
  await bench.postgres.createDatabase('limits_live', 'owner deploy')
  await sql('limits_live', 'alter database limits_live set default_transaction_read_only = on')
  for (const jobs of ['1', '2']) {
    const work = { 'dump-key': limits, jobs, 'pre-swap-hooks': hook('slow.sql', 'select pg_sleep(1.5)') }
    succeeded(
      await bench.run(
        'restore',
        'folder',
        'limits_live',
        { ...work, ...as('deploy', 'limits_live') },
        { cwd: workspace },
      ),
    )
    assert.equal(
      await sql('limits_live', 'select count(*), count(list[1]) from t join slow using (id)'),
      '10|0',
    )
  }
  const settings = `select r.rolname, s.setconfig from pg_db_role_setting as s join pg_database as d on d.oid = s.setdatabase
    left join pg_roles as r on r.oid = s.setrole where datname = 'limits_live'`
  assert.equal(await sql('postgres', settings), '|{default_transaction_read_only=on}')
})

test('#52 limits of a role do not end verify, nor a restore in place', async () => {
  const verified = { command: 'verify', 'dump-key': limits, ...as('deploy', 'limits') }
  succeeded(await bench.run('dump', 'folder', 'limits', verified))
  await bench.postgres.createDatabase('limits_place', 'owner deploy')
  const inPlace = { swap: 'false', 'dump-key': limits, ...as('deploy', 'limits_place') }
  succeeded(await bench.run('restore', 'folder', 'limits_place', inPlace))
  assert.equal(
    await sql('limits_place', 'select count(*), count(list[1]) from t join slow using (id)'),
    '10|0',
  )
})

test('#52 settings of the target are in force while it is filled, and while hooks and assertions run', async () => {
  for (const name of ['zoned', 'zoned_live']) {
    await bench.postgres.createDatabase(name)
    await sql(
      name,
      `alter database ${name} set timezone = 'Pacific/Auckland'; alter database ${name} set search_path = app, public;
       create schema app; alter role postgres in database ${name} set app.tenant = 'acme'`,
    )
  }
  await sql(
    'zoned',
    `create table app.customers (id int, email text); insert into app.customers values (1, 'a@example.com'), (2, 'b@example.com');
     create table public.customers (id int, email text); insert into public.customers values (9, 'nobody@example.com');
     create table app.payments as select timestamptz '2024-03-01 00:00Z' + n * interval '5 hours' as at from generate_series(1, 60) as n;
     create materialized view app.daily as select at::date as day, count(*) as n from app.payments group by 1`,
  )
  const digest = `select md5(string_agg(day || ' ' || n, ',' order by day)) from app.daily`
  const work = {
    'pre-swap-hooks': hook(
      'mask.sql',
      `update customers set email = id || '@' || current_setting('app.tenant')`,
    ),
    'verify-sql': `select count(*) = 0 from customers where email like '%@example.com'`,
  }
  const key = await bench.dump('folder', 'zoned')
  const restored = succeeded(
    await bench.run('restore', 'folder', 'zoned_live', { 'dump-key': key, ...work }, { cwd: workspace }),
  )
  assert.match(restored.log, /pre-swap-hooks 1 of 1 changed app\.customers/)
  const copied = {
    ...{ command: 'copy', 'source-database-url': bench.postgres.url('zoned'), 'copy-method': 'stream' },
    ...work,
  }
  for (const run of [null, copied]) {
    if (run) succeeded(await bench.run('restore', 'folder', 'zoned_live', run, { cwd: workspace }))
    assert.equal(await sql('zoned_live', digest), await sql('zoned', digest))
    assert.equal(
      await sql('zoned_live', 'select string_agg(email, $$ $$ order by id) from app.customers'),
      '1@acme 2@acme',
    )
    assert.equal(await sql('zoned_live', 'select email from public.customers'), 'nobody@example.com')
  }
})

test('#52 hooks and assertions see the rows that a policy hides, and a hook that changes nothing is said', async () => {
  await bench.postgres.createDatabase('hidden', 'owner deploy')
  await sql(
    'hidden',
    `create table invoices (id int primary key, tenant text not null); insert into invoices values (1, 'acme'), (2, 'acme'), (3, 'umbrella');
     create table "Notes" (id int); insert into "Notes" values (1);
     alter table invoices enable row level security; alter table invoices force row level security;
     create policy by_tenant on invoices using (tenant = current_setting('app.tenant', true))`,
  )
  const key = await bench.dump('folder', 'hidden')
  const restored = succeeded(
    await bench.run(
      'restore',
      'folder',
      'hidden_live',
      {
        ...{ 'dump-key': key, ...as('deploy', 'hidden_live') },
        'pre-swap-hooks': [
          hook('mask.sql', `update invoices set tenant = 'masked'; update "Notes" set id = 2 where id = 5`),
          hook('nothing.sql', 'update "Notes" set id = 3 where id = 5'),
        ].join('\n'),
        'verify-sql': `select count(*) = 3 from invoices where tenant = 'masked'`,
      },
      { cwd: workspace },
    ),
  )
  assert.match(
    restored.log,
    /hooks 1 of 2 changed public\.invoices; it read, but changed no row of public\.Notes/,
  )
  assert.match(
    restored.log,
    /hooks 2 of 2 changed no row of any table; it read, but changed no row of public\.Notes/,
  )
  const state = `select relrowsecurity and relforcerowsecurity from pg_class where relname = 'invoices'`
  assert.equal(await sql('hidden_live', state), 't')
  const verified = { command: 'verify', 'dump-key': key, 'verify-sql': 'select count(*) = 3 from invoices' }
  succeeded(await bench.run('dump', 'folder', 'hidden', { ...verified, ...as('deploy', 'hidden') }))
})

test('#52 rows that a policy of another owner hides stop the hooks before anything is live', async () => {
  await sql('postgres', `create role landlord; create role tenant login createdb password 'pw'`)
  await bench.postgres.createDatabase('let', 'owner tenant')
  await sql(
    'let',
    `grant create on schema public to landlord; create table flats as select 1 as id; alter table flats owner to landlord;
     alter table flats enable row level security; grant all on flats to tenant; create policy none on flats using (false)`,
  )
  const hooks = { 'pre-swap-hooks': hook('mask.sql', 'update flats set id = 2') }
  // As a hosted service may have it: a role without rights on the owner's tables copies files that include them.
  const copied = {
    command: 'copy',
    'source-database-url': bench.postgres.url('let', { user: 'tenant', password: 'pw' }),
    ...hooks,
  }
  const hidden = /Row security could hide rows of public\.flats from hooks and verify-sql, so nothing ran/
  const target = as('tenant', 'let_live')
  failed(
    await bench.run('restore', 'folder', 'let_live', { ...copied, ...target }, { cwd: workspace }),
    hidden,
  )
  await bench.postgres.createDatabase('let_place', 'owner tenant')
  await sql(
    'let_place',
    `create table flats as select 7 as id; alter table flats owner to tenant;
    alter table flats enable row level security; alter table flats force row level security; create policy none on flats using (false)`,
  )
  const forced = await bench.dump('folder', 'let_place')
  await sql('let_place', 'alter table flats rename to old')
  const inPlace = { swap: 'false', 'dump-key': forced, ...hooks, ...as('tenant', 'let_place') }
  failed(
    await bench.run('restore', 'folder', 'let_place', inPlace, { cwd: workspace }),
    /row security could hide rows from pre-swap-hooks, so nothing was restored/,
  )
  assert.equal(await sql('let_place', `select to_regclass('public.flats') is null`), 't')
})
