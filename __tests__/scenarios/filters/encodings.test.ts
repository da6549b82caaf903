import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: Bench
let copies = 0

/** Databases with the same tables, whose names differ in bytes. */
const encodings: Record<string, string> = {
  LATIN1: 'löhne',
  EUC_JP: '給与',
  SQL_ASCII: 'löhne',
  UTF8: 'a😀b',
}

before(async () => {
  bench = await startBench()
  for (const [encoding, name] of Object.entries(encodings)) {
    const database = encoding.toLowerCase()
    await bench.postgres.createDatabase(
      database,
      `template template0 encoding '${encoding}' lc_collate 'C' lc_ctype 'C'`,
    )
    await bench.postgres.psql(
      database,
      `set client_encoding = 'UTF8'; create schema "S ${name}";
       create table public."${name}" as select '${name}'::text as person from generate_series(1, 2);
       create table "S ${name}"."x ${name}" as select 1 as id;
       create table public.orders as select generate_series(1, 5) as id`,
    )
  }
})
after(() => bench?.[Symbol.asyncDispose]())

async function rowsOf(database: string, name: string): Promise<number[]> {
  const rows = await bench.postgres.query<{ name: string; rows: number }>(
    database,
    `select c.oid::regclass::text as name, (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %s', c.oid::regclass), false, true, '')))[1]::text::int as rows
     from pg_class c join pg_namespace n on n.oid = relnamespace where relkind = 'r' and nspname !~ '^pg_|^information_schema$'`,
  )
  const found = (part: string) => rows.find((row) => row.name.includes(part))?.rows ?? -1
  return [
    found(`x ${name}`),
    rows.find((row) => row.name.replaceAll('"', '') === name)?.rows ?? -1,
    found('orders'),
  ]
}

const filters = (name: string): [Inputs, number[]][] => [
  [{ 'exclude-table-data': `public."${name}"` }, [1, 0, 5]],
  [{ tables: `"${name}"`, jobs: '4' }, [-1, 2, -1]],
]

for (const [encoding, name] of Object.entries(encodings)) {
  test(`#13 filters mean the same table in ${encoding}, and the dump verifies`, async () => {
    const database = encoding.toLowerCase()
    for (const [inputs, expected] of filters(name)) {
      const key = await bench.dump('folder', database, inputs)
      const copy = `copy_${++copies}`
      succeeded(await bench.run('restore', 'folder', copy, { 'dump-key': key }))
      assert.deepEqual(await rowsOf(copy, name), expected, JSON.stringify(inputs))
    }
    succeeded(await bench.run('dump', 'folder', database, { command: 'verify', 'dump-key': 'latest' }))
    const copied = `copied_${database}`
    const source = { 'source-database-url': bench.postgres.url(database), command: 'copy' }
    const left = { 'exclude-tables': `public."${name}"`, 'exclude-schemas': `"S ${name}"` }
    succeeded(await bench.run('dump', 'folder', copied, { ...source, ...left }))
    assert.deepEqual(await rowsOf(copied, name), [-1, -1, 5])
  })
}

test('#13 text of an unknown encoding is not stored unchecked', async () => {
  await bench.postgres.psql('sql_ascii', `create table public.bytes as select E'l\\xf6hne'::text as t`)
  const key = await bench.dump('folder', 'sql_ascii')
  await bench.postgres.createDatabase('checked', `template template0 encoding 'UTF8'`)
  const says =
    /in SQL_ASCII, which names no encoding of its text, so a database in UTF8 would store it unchecked/
  failed(await bench.run('restore', 'folder', 'checked', { 'dump-key': key }), says)
  const source = {
    'source-database-url': bench.postgres.url('sql_ascii'),
    command: 'copy',
    'copy-method': 'stream',
    overwrite: 'true',
  }
  failed(await bench.run('dump', 'folder', 'checked', source), says)
  const labelled = await bench.dump('folder', 'sql_ascii', { 'pg-dump-args': '--encoding=LATIN1' })
  succeeded(await bench.run('restore', 'folder', 'checked', { 'dump-key': labelled }))
  assert.equal(await bench.postgres.psql('checked', 'select t from bytes'), 'löhne')
})

test('#13 names are pairs: a dot in one of them does not make it another', async () => {
  await bench.postgres.createDatabase('dots')
  await bench.postgres.psql(
    'dots',
    `create schema "a"; create schema "a.b";
     create table "a"."b.c" as select generate_series(1, 2) as id;
     create table "a.b"."c" as select generate_series(1, 3) as id;`,
  )
  const key = await bench.dump('folder', 'dots')
  const run = succeeded(await bench.run('restore', 'folder', 'dots_copy', { 'dump-key': key }))
  assert.equal(run.outputs['row-count'], '5')
  succeeded(await bench.run('dump', 'folder', 'dots', { command: 'verify', 'dump-key': key }))
})

test("#13 a role and a schema called pgbouncer do not make a server a provider's", async () => {
  await bench.postgres.psql('postgres', 'create role pgbouncer')
  await bench.postgres.createDatabase('pooled')
  await bench.postgres.psql(
    'pooled',
    `create schema pgbouncer authorization pgbouncer;
     create table pgbouncer.users as select 1 as id; alter table pgbouncer.users owner to pgbouncer;
     create function pgbouncer.user_lookup(name text) returns text language sql as 'select name'`,
  )
  const key = await bench.dump('folder', 'pooled')
  const run = succeeded(await bench.run('restore', 'folder', 'pooled_copy', { 'dump-key': key }))
  assert.doesNotMatch(run.log, /Supabase/)
  assert.equal(
    await bench.postgres.psql('pooled_copy', `select pgbouncer.user_lookup('x') from pgbouncer.users`),
    'x',
  )
})
