import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { readTables } from '../../../lab/postgres/compare.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'

let bench: Bench
let copies = 0

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('events')
  await bench.postgres.psql(
    'events',
    `create schema parts;
     create table events (id int, at date not null) partition by range (at);
     create table parts."2024 events" partition of events for values from ('2024-01-01') to ('2025-01-01') partition by range (at);
     create table parts.first partition of parts."2024 events" for values from ('2024-01-01') to ('2024-07-01');
     create table parts.second partition of parts."2024 events" for values from ('2024-07-01') to ('2025-01-01');
     create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
     insert into events select n, date '2024-01-01' + n from generate_series(0, 699) as n;
     create table logs (id int, secret text); create table old () inherits (logs);
     insert into logs values (1, 'person'); insert into old values (2, 'person');
     create table kept as select generate_series(1, 3) as id;`,
  )
})
after(() => bench?.[Symbol.asyncDispose]())

/** Dumps with filters, restores, and returns the rows of each table. */
async function rowsAfter(inputs: Inputs): Promise<Record<string, number>> {
  const key = await bench.dump('folder', 'events', inputs)
  const copy = `copy_${++copies}`
  succeeded(await bench.run('restore', 'folder', copy, { 'dump-key': key }))
  const tables = [...(await readTables(bench.postgres, copy))].map(([name, { rows }]) => [name, rows])
  return Object.fromEntries(tables)
}

const events = { 'parts.first': 182, 'parts.second': 184, 'public.events_2025': 334 }
const logs = { 'public.logs': 1, 'public.old': 1 }
const kept = { 'public.kept': 3 }
const zero = (tables: Record<string, number>) =>
  Object.fromEntries(Object.keys(tables).map((name) => [name, 0]))

test('#13 a filter of a table covers its partitions and the tables that inherit from it', async () => {
  const one = { 'exclude-tables': 'events', 'exclude-table-data': 'logs' }
  assert.deepEqual(await rowsAfter({ jobs: '1', ...one }), { ...zero(logs), ...kept })
  const other = { 'exclude-tables': 'public.logs', 'exclude-table-data': 'public.events' }
  assert.deepEqual(await rowsAfter({ jobs: '4', ...other }), { ...zero(events), ...kept })
})

test('#13 the same for copy', async () => {
  const inputs = {
    'source-database-url': bench.postgres.url('events'),
    'database-url': bench.postgres.url('copied'),
    ...{ command: 'copy', 'exclude-tables': 'logs', 'exclude-table-data': 'events' },
  }
  succeeded(await bench.run('dump', 'folder', '', inputs))
  const tables = [...(await readTables(bench.postgres, 'copied'))].map(([name, { rows }]) => [name, rows])
  assert.deepEqual(Object.fromEntries(tables), { ...zero(events), ...kept })
})
