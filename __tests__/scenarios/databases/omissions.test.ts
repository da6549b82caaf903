import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'

let bench: Bench

before(async () => {
  bench = await startBench()
  const { postgres } = bench
  await postgres.createDatabase('partial')
  await postgres.psql(
    'partial',
    `create role clerk login password 'pw'; create role app; grant pg_read_all_data to clerk;
     create foreign data wrapper remote; create server archive foreign data wrapper remote;
     create user mapping for app server archive options (user 'u', password 's3cret');
     create user mapping for clerk server archive; grant usage on foreign server archive to clerk;
     create table files as select lo_from_bytea(0, 'text') as content;
     create table secrets as select 1 as id; alter table secrets enable row level security;
     set allow_system_table_mods = on;
     insert into pg_seclabel values ('secrets'::regclass, 'pg_class'::regclass, 0, 'selinux', 'top')`,
  )
})
after(() => bench?.[Symbol.asyncDispose]())

const clerk = () => ({ 'database-url': bench.postgres.url('partial', { user: 'clerk', password: 'pw' }) })

test('what pg_dump leaves out without saying so is named', async () => {
  const filters = { tables: 'public.files\npublic.secrets', 'pg-dump-args': '--enable-row-security' }
  const { log } = succeeded(await bench.run('dump', 'folder', 'partial', { ...filters, ...clerk() }))
  assert.match(
    log,
    /user mappings of "app" on server "archive" are not in the dump, because this role may not/,
  )
  assert.match(log, /1 large object of the database is not in the dump, .* add -b to pg-dump-args/)
  assert.match(log, /Policies may hide rows of public\.secrets from this role/)
  assert.match(log, /The dump has security labels of selinux/)
})

test('nothing is said of what is in the dump', async () => {
  const all = succeeded(await bench.run('dump', 'folder', 'partial'))
  assert.doesNotMatch(all.log, /user mappings|large object|Policies/)
  const asked = { tables: 'public.files', 'pg-dump-args': '-b' }
  assert.doesNotMatch(succeeded(await bench.run('dump', 'folder', 'partial', asked)).log, /large object/)
})
