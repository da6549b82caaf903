import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: Bench

/** Databases with the same tables, whose names differ in bytes. */
const encodings: Record<string, string> = {
  LATIN1: 'löhne',
  EUC_JP: '給与',
  SQL_ASCII: 'löhne',
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
      `set client_encoding = 'UTF8'; create schema "S ${name}"; create schema "T ${name}";
       create table "T ${name}"."y ${name}" as select 1 as id;
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
    found(`y ${name}`),
    rows.find((row) => row.name.replaceAll('"', '') === name)?.rows ?? -1,
    found('orders'),
  ]
}

for (const [encoding, name] of Object.entries(encodings)) {
  test(`#13 filters mean the same table in ${encoding}, and the dump verifies`, async () => {
    const database = encoding.toLowerCase()
    const filters = {
      'exclude-table-data': `public."${name}"`,
      'exclude-tables': `"S ${name}"."x ${name}"`,
      'exclude-schemas': `"T ${name}"`,
    }
    const key = await bench.dump('folder', database, filters)
    const restored = `restored_${database}`
    succeeded(await bench.run('restore', 'folder', restored, { 'dump-key': key }))
    assert.deepEqual(await rowsOf(restored, name), [-1, -1, 0, 5])
    succeeded(await bench.run('dump', 'folder', database, { command: 'verify', 'dump-key': key }))
    const copied = `copied_${database}`
    const source = { 'source-database-url': bench.postgres.url(database), command: 'copy' }
    const chosen = { tables: `"${name}"\n"T ${name}"."y ${name}"`, jobs: '4' }
    succeeded(await bench.run('dump', 'folder', copied, { ...source, ...chosen }))
    assert.deepEqual(await rowsOf(copied, name), [-1, 1, 2, -1])
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

test("#13 a dot in a name does not make it another, and a role pgbouncer does not make a server a provider's", async () => {
  await bench.postgres.psql('postgres', 'create role pgbouncer')
  await bench.postgres.createDatabase('pooled')
  await bench.postgres.psql(
    'pooled',
    `create schema "a"; create schema "a.b"; create schema pgbouncer authorization pgbouncer;
     create table "a"."b.c" as select generate_series(1, 2) as id;
     create table "a.b"."c" as select generate_series(1, 3) as id;
     create table pgbouncer.users as select 1 as id; alter table pgbouncer.users owner to pgbouncer;
     create function pgbouncer.user_lookup(name text) returns text language sql as 'select name'`,
  )
  const key = await bench.dump('folder', 'pooled')
  const run = succeeded(await bench.run('restore', 'folder', 'pooled_copy', { 'dump-key': key }))
  assert.equal(run.outputs['row-count'], '6')
  assert.doesNotMatch(run.log, /Supabase/)
  const lookup = `select pgbouncer.user_lookup('x') from pgbouncer.users`
  assert.equal(await bench.postgres.psql('pooled_copy', lookup), 'x')
  succeeded(await bench.run('dump', 'folder', 'pooled', { command: 'verify', 'dump-key': key }))
})
