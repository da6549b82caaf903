import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import type { ActionRun } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: LifecycleBench

const COMMON = `
  create schema "Shop"; create table "Shop"."Ord.ers" (id serial primary key, "odd, (name" text default 'a,(''b', total numeric(9, 2) not null,
    constraint positive check (total > 0));
  create table lines (id int primary key, order_id int references "Shop"."Ord.ers"); create view totals as select total from "Shop"."Ord.ers";
  create function tax(numeric) returns numeric language sql as 'select $1 * 0.19';
  create function tax(int) returns int language sql as 'select $1'; create schema audit; create table audit.log (line text);
  create table days (day date, n int) partition by range (day); create table days_1 partition of days for values from ('2026-01-01') to ('2027-01-01')`

before(async () => {
  bench = await startLifecycleBench()
  const { postgres } = bench
  for (const name of ['production', 'staging']) {
    await postgres.createDatabase(name)
    await postgres.psql(name, COMMON)
  }
  await postgres.psql(
    'production',
    `alter table lines add note text, add price int; comment on table lines is 'lines of an order';
     create index lines_order on lines (order_id); grant select on lines to public;
     create table gone_table (id int)`,
  )
  await postgres.psql(
    'staging',
    `alter table lines add price int, add note text; comment on table lines is 'something else';
     create or replace function tax(numeric) returns numeric language sql as 'select $1 * 0.20';
     alter table "Shop"."Ord.ers" drop column "odd, (name"; create table "nëw \`\`\` ""table""" (id int)`,
  )
})
after(() => bench?.[Symbol.asyncDispose]())

const differencesOf = (run: ActionRun) =>
  JSON.parse(run.outputs.differences!).map(
    ({ change, type, schema, name }: Record<string, string>) => `${change} ${type} ${schema} ${name}`,
  )
const against = (database: string, more = {}) => ({
  'source-database-url': bench.postgres.url(database),
  ...more,
})

test('two databases are compared by object, whatever the order of their columns and their comments', async () => {
  const run = await bench.run('diff', 'staging', against('production', { 'fail-on-diff': 'true' }))
  assert.equal(run.outputs.changed, 'true')
  assert.deepEqual(differencesOf(run), [
    'changed TABLE Shop Ord.ers',
    'changed FUNCTION public tax(numeric)',
    'gone INDEX public lines_order',
    'gone TABLE public gone_table',
    'added TABLE public nëw ``` "table"',
  ])
  assert.match(run.summary, /### ⚠️ 5 objects differ/)
  assert.match(
    run.summary,
    /```diff\n@@ [^\n]* @@\n[\s\S]*\n- {4}"odd, \(name" text DEFAULT 'a,\(''b'::text,\n/,
  )
  assert.match(run.summary, /````diff\n[^\n]*\n\+CREATE TABLE public\."nëw ``` ""table"""/)
  assert.doesNotMatch(run.summary, /something else/)
  assert.equal(JSON.parse(run.outputs.report!).changed, true)

  assert.equal(run.exitCode, 1)
  assert.match(
    run.errors[0]!,
    /differs from that of .*\/production in 5 objects: .*; make them alike, or set fail-on-diff/,
  )
  assert.equal(JSON.parse(run.outputs.report!).status, 'failure')
})

test('filters, owners and grants apply to both sides', async () => {
  const only = async (more: Record<string, string>) =>
    differencesOf(succeeded(await bench.run('diff', 'staging', against('production', more))))
  assert.deepEqual(await only({ schemas: '"Shop"' }), ['changed TABLE Shop Ord.ers'])
  assert.deepEqual(await only({ tables: 'public.lin*', 'owner-and-acl': 'true' }), [
    'gone ACL public TABLE lines',
    'gone INDEX public lines_order',
  ])
  assert.deepEqual(await only({ 'exclude-schemas': 'public', 'exclude-tables': '"Shop"."Ord.ers"' }), [])
})

test('a stored dump is compared with what its own filters would dump today', async () => {
  const { postgres } = bench
  const filters = { 'exclude-tables': 'audit.*\npublic.days' }
  const key = await bench.dump('production', filters)
  const same = succeeded(await bench.run('diff', 'production', { 'dump-key': key, 'fail-on-diff': 'true' }))
  assert.equal(same.outputs.changed, 'false')
  assert.equal(same.outputs.differences, '[]')
  assert.equal(same.outputs['dump-key'], key)
  assert.match(same.summary, /### ✅ The schemas are the same/)
  assert.deepEqual(same.warnings, [])

  await postgres.psql('production', 'create unlogged table brand_new (id int); drop view totals')
  const latest = succeeded(await bench.run('diff', 'production', { 'dump-key': 'latest' }))
  assert.deepEqual(differencesOf(latest), ['added TABLE public brand_new', 'gone VIEW public totals'])
  const path = join(bench.folder, `${key}.json`)
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"clientVersion": "\d+/, '"clientVersion": "9'))
  const older = succeeded(await bench.run('diff', 'production', { 'dump-key': key }))
  assert.match(
    older.warnings.join('\n'),
    /The schemas come from pg_dump 9\.\d+ and \d+\.\d+, which may write/,
  )
})

test('a definition that may hold a password is compared and not shown', async () => {
  const { postgres } = bench
  await postgres.createDatabase('following')
  await postgres.psql(
    'following',
    `create subscription s connection 'host=x password=hunter22' publication p with (connect = false)`,
  )
  const run = succeeded(await bench.run('diff', 'following', against('template1')))
  assert.deepEqual(differencesOf(run), ['added SUBSCRIPTION  s'])
  assert.ok(!`${run.log}${run.summary}${JSON.stringify(run.outputs)}`.includes('hunter22'))
})

test('what to compare with must be one thing', async () => {
  failed(await bench.run('diff', 'staging'), /dump-key \(or source-database-url\) is missing/)
  failed(
    await bench.run('diff', 'staging', against('production', { 'dump-key': 'latest' })),
    /dump-key and source-database-url are both set/,
  )
})
