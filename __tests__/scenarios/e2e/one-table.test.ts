/** A database that is one large table: read, stored and loaded over several connections, and readable by pg_restore alone. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { findClients } from '../../../lab/postgres/clients.ts'
import { readTables } from '../../../lab/postgres/compare.ts'
import { descendants, kill } from '../../../lab/processes.ts'
import { startProxy } from '../../../lab/proxy.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { until } from '../../../lab/until.ts'

const FOUR = { jobs: '4' }
const BY_PAGES = /Dumping over 3 connections in one snapshot, of which 2 share the pages of public\.big/

let bench: Bench
let expected: Awaited<ReturnType<typeof readTables>>

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('app')
  // No primary key, a column that is gone, one that is computed, values out of line, and rows of a table that inherits.
  await bench.postgres.psql(
    'app',
    `create table big (n int, gone int, twice int generated always as (n * 2) stored, t text);
     alter table big alter t set storage external, drop column gone;
     insert into big (n, t) select n, E'é\\\\\\n' || repeat(md5(n::text), 100) from generate_series(1, 21000) as n;
     create table child () inherits (big); insert into child (n, t) values (-1, 'x'); create table few as select 1 as a;
     create index on big (n)`,
  )
  expected = await readTables(bench.postgres, 'app')
})
after(() => bench?.[Symbol.asyncDispose]())

test('one large table is dumped and restored by shares, and by pg_restore as any other', async () => {
  const { postgres } = bench
  const dumped = succeeded(await bench.run('dump', 'folder', 'app', FOUR))
  assert.match(dumped.log, BY_PAGES)
  assert.equal(dumped.outputs['row-count'], '21002')
  const key = dumped.outputs['dump-key']!
  const restored = succeeded(await bench.run('restore', 'folder', 'shares', { ...FOUR, 'dump-key': key }))
  assert.match(restored.log, /Restoring the data with 4 jobs/)
  assert.equal(restored.log.match(/Starting \S+pg_restore .*--dbname=$/gm)?.length ?? 4, 4)
  assert.deepEqual(await readTables(postgres, 'shares'), expected)

  const pgRestore = join(findClients().at(-1)!.bin, 'pg_restore')
  const file = join(bench.folder, key)
  await postgres.createDatabase('plain')
  const args = ['--exit-on-error', '--dbname=plain', '--jobs=2', file]
  await promisify(execFile)(pgRestore, args, { env: postgres.env('plain') })
  assert.deepEqual(await readTables(postgres, 'plain'), expected)
})

test('a copy reads and loads one large table by shares', async () => {
  const { postgres } = bench
  const inputs = {
    ...FOUR,
    command: 'copy',
    'copy-method': 'stream',
    'source-database-url': postgres.url('app'),
  }
  const run = succeeded(await bench.run('restore', 'folder', 'copied', inputs))
  assert.match(run.log, BY_PAGES)
  assert.match(run.log, /Restoring the data with 4 jobs/)
  assert.deepEqual(await readTables(postgres, 'copied'), expected)
})

test('#01 a session that reads a share of a table is killed in mid-stream', async () => {
  const harm = await witness(bench)
  await using proxy = await startProxy(bench.postgres)
  proxy.stallAfter(15_000_000)
  const url = bench.postgres.url('app', { port: proxy.port })
  const action = bench.start('dump', 'folder', 'app', { ...FOUR, 'database-url': url })
  await until(() => proxy.bytes.server >= 30_000_000, 'both sessions to stall')
  const readers = descendants(action.pid).filter(({ argv }) => argv.includes('--set=ON_ERROR_STOP=1'))
  assert.equal(readers.length, 2)
  kill(readers[1]!.pid, 'SIGKILL')
  const run = await action.done
  await harm.assertHarmless(run, /psql .*SIGKILL/)
  assert.match(run.log, BY_PAGES)
})
