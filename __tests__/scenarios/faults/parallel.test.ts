/** A database that is large enough for several connections: what they see, and what becomes of one that fails. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { readTables } from '../../../lab/postgres/compare.ts'
import type { Address } from '../../../lab/postgres/session.ts'
import { descendants, kill } from '../../../lab/processes.ts'
import { startProxy } from '../../../lab/proxy.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { until } from '../../../lab/until.ts'

const TWO = { jobs: '2' }
/** Two that read rows, and the pg_dump of the rest. */
const OVER_TWO = /Dumping over 3 connections in one snapshot, of which 2 share the pages of public\.first, /
/** Of a large table: a page of the server holds one, so that it counts with 34 MB and is read in a moment. */
const ROWS = 4300
const ALL_ROWS = 2 * ROWS + 2010
/** Where a connection stalls or ends: a large table has 6 MB. */
const MIDDLE = 2_000_000

let bench: Bench
let dump: string

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql(
    'app',
    `${table('first', ROWS)} ${table('second', ROWS)} ${table('"Third, ""odd"""', 2000)} ${table('few', 10)}
     create table pairs_a (n int primary key); create table pairs_b (n int references pairs_a);
     alter table first add primary key (n); create index on second (n);`,
  )
  dump = await bench.dump('folder', 'app', { ...TWO, instance: 'before' })
})
after(() => bench?.[Symbol.asyncDispose]())

const table = (name: string, rows: number, method = 'heap') =>
  `create table ${name} using ${method} with (fillfactor = 20) as
   select n, repeat(md5(n::text), 44) as t from generate_series(1, ${rows}) as n;`

async function through(database: string) {
  const proxy = await startProxy(bench.postgres)
  const url = (address: Partial<Address> = {}) =>
    bench.postgres.url(database, { port: proxy.port, ...address })
  return { proxy, url }
}

test('the connections see one moment, while others write', async () => {
  const { postgres } = bench
  await using writer = await postgres.connect('app')
  let writing = true
  let pairs = 0
  const write = async () => {
    for (; writing; pairs++) {
      await writer.query(`insert into pairs_a values (${pairs})`)
      await writer.query(`begin; insert into first values (${-1 - pairs}, 'new'); insert into second values (${-1 - pairs}, 'new');
                          insert into pairs_b values (${pairs}); commit`)
    }
  }
  const written = write()
  try {
    const before = pairs
    const run = succeeded(await bench.run('dump', 'folder', 'app', TWO))
    assert.match(run.log, OVER_TWO)
    assert.ok(pairs > before, 'somebody wrote meanwhile')
    succeeded(await bench.run('restore', 'folder', 'copy', { 'dump-key': run.outputs['dump-key']!, ...TWO }))
    const tables = await readTables(postgres, 'copy')
    const rows = (name: string) => tables.get(name)!.rows
    assert.equal(rows('public.first'), rows('public.second'))
    assert.equal(rows('public.first') - ROWS, rows('public.pairs_b'))
    assert.equal(
      String([...tables.values()].reduce((sum, table) => sum + table.rows, 0)),
      run.outputs['row-count'],
    )
  } finally {
    writing = false
    await written
    await postgres.psql(
      'app',
      `delete from first where n < 0; delete from second where n < 0; truncate pairs_a, pairs_b`,
    )
    await postgres.psql('postgres', 'drop database if exists copy')
  }
})

test('one connection and several give the same, to the last row', async () => {
  const { postgres } = bench
  const one = await bench.dump('folder', 'app', { jobs: '1', instance: 'one' })
  const expected = await readTables(postgres, 'app')
  for (const [jobs, key] of [
    ['2', one],
    ['1', dump],
  ] as const) {
    const options = { jobs, 'dump-key': key, 'pre-swap-hooks': 'true' }
    const run = succeeded(await bench.run('restore', 'folder', 'live', options))
    if (jobs === '2')
      assert.match(run.log, /Restoring the data with 2 jobs[\s\S]*indexes and constraints with 2 jobs/)
    assert.deepEqual(await readTables(postgres, 'live'), expected, `${key}, ${jobs} jobs`)
  }
})

test('what is excluded stays out, also when it is what a further connection would take', async () => {
  const excluded = { 'exclude-table-data': 'second', 'exclude-tables': '"Third, ""odd"""', ...TWO }
  await bench.dump('folder', 'app', { ...excluded, instance: 'excluded' })
  const manifest = JSON.parse(
    succeeded(await bench.run('list', 'folder', '', { 'dump-key': 'excluded' })).outputs.dumps!,
  )[0] as { tables: { name: string }[] }
  const names = manifest.tables.map(({ name }) => name)
  assert.ok(
    names.includes('first') && !names.includes('second') && !names.some((name) => name.startsWith('Third')),
  )
})

test('a server that allows no more connections gets one', async () => {
  const { postgres } = bench
  const password = randomBytes(8).toString('hex')
  await postgres.psql(
    'postgres',
    `create role narrow login password '${password}' superuser; alter role narrow nosuperuser connection limit 2; grant pg_read_all_data to narrow`,
  )
  const url = postgres.url('app', { user: 'narrow', password })
  const run = succeeded(
    await bench.run('dump', 'folder', 'app', { ...TWO, 'database-url': url, instance: 'narrow' }),
  )
  assert.match(run.log, /Dumping over 1 connection instead of 2: role, database and server allow no more/)
  assert.equal(run.outputs['row-count'], String(ALL_ROWS))
  await postgres.psql('postgres', 'drop owned by narrow; drop role narrow')
})

test('a hook that drops a large table leaves the rest to one connection', async () => {
  const { postgres } = bench
  await postgres.psql('app', table('gone', ROWS))
  const hooks = { 'pre-dump-hooks': 'psql -c "drop table gone"', instance: 'hooked' }
  const run = succeeded(await bench.run('dump', 'folder', 'app', { jobs: '3', ...hooks }))
  assert.match(run.log, /Dumping over one connection, because .*: relation "public.gone" does not exist/)
  assert.equal(run.outputs['row-count'], String(ALL_ROWS))
})

for (const which of [0, 1]) {
  test(`#01 reader ${which + 1} of 2 is killed in mid-stream`, async () => {
    const harm = await witness(bench)
    const { proxy, url } = await through('app')
    await using _ = proxy
    proxy.stallAfter(MIDDLE)
    const action = bench.start('dump', 'folder', 'app', { ...TWO, 'database-url': url() })
    await until(() => proxy.bytes.server >= 2 * MIDDLE, 'data to flow')
    // The session of the snapshot does not stop at an error.
    const readers = descendants(action.pid).filter(({ argv }) => argv.includes('--set=ON_ERROR_STOP=1'))
    assert.equal(readers.length, 2)
    kill(readers[which]!.pid, 'SIGKILL')
    // The other one goes on, as it would on another connection.
    proxy.heal()
    const run = await action.done
    await harm.assertHarmless(run, /psql .*SIGKILL/)
    assert.match(run.log, OVER_TWO)
  })
}

test('#01 a pg_dump of tables without pages is killed in mid-stream', async () => {
  const { postgres } = bench
  await postgres.createDatabase('unpaged')
  await postgres.psql(
    'unpaged',
    `create access method other type table handler heap_tableam_handler;
     ${table('one', ROWS, 'other')} ${table('two', ROWS, 'other')}`,
  )
  for (const which of [0, 1]) {
    const harm = await witness(bench)
    const { proxy, url } = await through('unpaged')
    await using _ = proxy
    proxy.stallAfter(MIDDLE)
    const action = bench.start('dump', 'folder', 'unpaged', { ...TWO, 'database-url': url() })
    await until(() => proxy.bytes.server >= 2 * MIDDLE, 'data to flow')
    const dumps = descendants(action.pid).filter(({ argv }) => /pg_dump$/.test(argv[0] ?? ''))
    assert.equal(dumps.length, 2)
    kill(dumps[which]!.pid, 'SIGKILL')
    proxy.heal()
    const run = await action.done
    await harm.assertHarmless(run, /pg_dump .*SIGKILL/)
    assert.match(run.log, /Dumping over 2 connections in one snapshot/)
  }
  await postgres.psql('postgres', 'drop database unpaged with (force)')
})

test('#01 both connections are cut', async () => {
  const harm = await witness(bench)
  const { proxy, url } = await through('app')
  await using _ = proxy
  proxy.cutAfter(MIDDLE)
  const run = await bench.run('dump', 'folder', 'app', { ...TWO, 'database-url': url() })
  await harm.assertHarmless(run, /connection to the database was cut in the middle of the dump/)
})

test('#07 the connections go silent, in mid-stream and before the first byte', async () => {
  for (const bytes of [MIDDLE, 40_000]) {
    const harm = await witness(bench)
    const { proxy, url } = await through('app')
    await using _ = proxy
    proxy.stallAfter(bytes)
    const run = await bench.run('dump', 'folder', 'app', {
      ...TWO,
      'database-url': url(),
      'idle-timeout': '2s',
    })
    await harm.assertHarmless(run, /idle-timeout/)
  }
})

test('#10 SIGINT during a dump over several connections', async () => {
  const harm = await witness(bench)
  const { proxy, url } = await through('app')
  await using _ = proxy
  proxy.stallAfter(MIDDLE)
  const action = bench.start('dump', 'folder', 'app', { ...TWO, 'database-url': url() })
  await until(() => proxy.bytes.server >= 2 * MIDDLE, 'data to flow')
  action.signal('SIGINT')
  await harm.assertHarmless(await action.done, /cancelled/)
})

test('#30 the pg_restore of some of the data is killed', async () => {
  succeeded(await bench.run('restore', 'folder', 'live', { 'dump-key': dump }))
  const harm = await witness(bench, 'live')
  const { proxy, url } = await through('live')
  await using _ = proxy
  proxy.stallAfter(MIDDLE, 'client')
  const more = { ...TWO, 'dump-key': dump, 'database-url': url() }
  const action = bench.start('restore', 'folder', 'live', more)
  const loaders = () => descendants(action.pid).filter(({ argv }) => /pg_restore$/.test(argv[0] ?? ''))
  await until(() => proxy.bytes.client >= 2 * MIDDLE && loaders().length === 2, 'data to flow')
  kill(loaders()[1]!.pid, 'SIGKILL')
  const run = await action.done
  proxy.cutNow('reset')
  await harm.assertHarmless(run, /pg_restore .*SIGKILL/)
})

test('a copy over several connections', async () => {
  const { postgres } = bench
  const inputs = {
    ...TWO,
    command: 'copy',
    'copy-method': 'stream',
    'source-database-url': postgres.url('app'),
  }
  const run = succeeded(await bench.run('restore', 'folder', 'copied', inputs))
  assert.match(run.log, OVER_TWO)
  assert.match(run.log, /Restoring the data with 2 jobs/)
  assert.deepEqual(await readTables(postgres, 'copied'), await readTables(postgres, 'app'))
  assert.equal(run.outputs['row-count'], String(ALL_ROWS))
})
