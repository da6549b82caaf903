import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { compareDatabases, readTables } from '../../../lab/postgres/compare.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: Bench
let copies = 0
/** The key of a dump without filters. */
let whole: string

const everything = {
  ...{ 'public.Order': 7, 'public.people': 3, 'public.people_log': 4 },
  ...{ 'Mixed Case.notes': 2, 'audit.events': 5 },
}

before(async () => {
  bench = await startBench()
  const { postgres } = bench
  await postgres.psql(
    'postgres',
    'create role app_owner nologin; create role app_reader nologin; create role "Böse ""Rolle""" nologin',
  )
  await postgres.createDatabase('app')
  await postgres.psql(
    'app',
    `create schema "Mixed Case"; create schema audit;
    create table public."Order" as select generate_series(1, 7) as id;
    create table people as select generate_series(1, 3) as id;
    create table people_log as select generate_series(1, 4) as id;
    create table "Mixed Case".notes as select generate_series(1, 2) as id;
    create table audit.events as select generate_series(1, 5) as id;
    create view names as select * from people;
    create function answer() returns int language sql as 'select 42';
    alter table people owner to app_owner; alter schema audit owner to app_owner;
    grant select, update on people to app_reader with grant option;
    grant usage on schema audit to "Böse ""Rolle""";
    revoke execute on function answer() from public;`,
  )
  whole = await bench.dump('folder', 'app')
})
after(() => bench?.[Symbol.asyncDispose]())

/** Dumps `app` with inputs, restores it elsewhere, and says what arrived. */
const roundTrip = async (inputs: Inputs) => arrival(await bench.dump('folder', 'app', inputs))

/** Restores a dump, and says what arrived. */
async function arrival(key: string, restoreInputs: Inputs = {}) {
  const copy = `copy_${++copies}`
  const restored = succeeded(
    await bench.run('restore', 'folder', copy, { 'dump-key': key, ...restoreInputs }),
  )
  const manifest = JSON.parse(readFileSync(join(bench.folder, `${key}.json`), 'utf8'))
  const tables = [...(await readTables(bench.postgres, copy))].map(([name, { rows }]) => [name, rows])
  return { copy, restored, manifest, rows: Object.fromEntries(tables) as Record<string, number> }
}

/** The tables whose names fit. */
function only(pattern: RegExp): Record<string, number> {
  return Object.fromEntries(Object.entries(everything).filter(([name]) => pattern.test(name)))
}

/** Each combination leaves out what either of its inputs alone would not. */
const filters: [Inputs, Record<string, number>][] = [
  [{ tables: 'people*\npublic."Order"', 'exclude-tables': 'public.*_log' }, only(/Order|people$/)],
  [
    {
      schemas: '"Mixed Case"\naudit\npublic',
      'exclude-schemas': 'audit',
      'exclude-table-data': 'people_log',
      'pg-dump-args': '--exclude-table=public."Order"\n--no-comments',
    },
    { ...only(/people|notes/), 'public.people_log': 0 },
  ],
  [{ 'schema-only': 'true' }, Object.fromEntries(Object.keys(everything).map((name) => [name, 0]))],
]

for (const [inputs, expected] of filters) {
  test(`${Object.keys(inputs).join(' and ')}: exactly what was asked for arrives, and the manifest says so`, async () => {
    const { rows, manifest, restored } = await roundTrip(inputs)
    assert.deepEqual(rows, expected)
    const counted = Object.values(expected).reduce((sum, count) => sum + count, 0)
    assert.deepEqual([manifest.rows, restored.outputs['row-count']], [counted, String(counted)])
    const given = Object.entries(inputs).map(([name, value]) => [
      name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
      value === 'true' ? true : value.split('\n'),
    ])
    assert.deepEqual(manifest.filters, Object.fromEntries(given))
  })
}

test('pg-restore-args reach pg_restore', async () => {
  assert.deepEqual((await arrival(whole, { 'pg-restore-args': '--schema=public' })).rows, only(/^public/))
})

test('a pattern without a match is an error that names it, before anything is dumped', async () => {
  const run = failed(
    await bench.run('dump', 'folder', 'app', {
      ...{ tables: 'public.order\npeople', 'exclude-tables': 'secret*', schemas: 'no_such_schema' },
      ...{ 'exclude-schemas': 'audit\nmixed case', 'exclude-table-data': 'log.*', config: 'unmatched' },
    }),
    /Nothing in the database matches/,
  )
  const named = /matches (.*) \(names with capitals/.exec(run.errors[0]!)![1]
  assert.deepEqual(named!.split(', '), [
    ...['tables: public.order', 'exclude-tables: secret*', 'schemas: no_such_schema'],
    ...['exclude-schemas: mixed case', 'exclude-table-data: log.*'],
  ])
  assert.equal(existsSync(join(bench.folder, 'shop/app/unmatched')), false)
})

test('#28 owners and grants stay away by default, and come along with owner-and-acl', async () => {
  const { postgres } = bench
  const plain = await arrival(whole)
  const differences = await compareDatabases(postgres, 'app', postgres, plain.copy, { ownersAndGrants: true })
  assert.equal(differences.length, 3, differences.join('\n'))
  const key = await bench.dump('folder', 'app', { 'owner-and-acl': 'true' })
  const kept = await arrival(key, { 'owner-and-acl': 'true' })
  assert.deepEqual(
    await compareDatabases(postgres, 'app', postgres, kept.copy, { ownersAndGrants: true }),
    [],
  )
  const dropped = await arrival(key)
  assert.deepEqual(
    await compareDatabases(postgres, plain.copy, postgres, dropped.copy, { ownersAndGrants: true }),
    [],
  )
})
