import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import { startPostgres } from '../../../lab/postgres/postgres.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: LifecycleBench

before(async () => {
  // Room for the locks of a few hundred tables.
  const few = { max_worker_processes: '1', max_wal_senders: '0', autovacuum_max_workers: '1' }
  bench = await startLifecycleBench({
    settings: { ...few, max_locks_per_transaction: '10', max_connections: '20' },
  })
})
after(() => bench?.[Symbol.asyncDispose]())

test('a role that may open few connections gets as many jobs as fit', async () => {
  const { postgres } = bench
  await postgres.psql('postgres', `create role few login createdb password 'few' connection limit 3`)
  await postgres.createDatabase('wide')
  const tables = Array.from(
    { length: 6 },
    (_, n) =>
      `create table t${n} as select i, repeat(md5(i::text), 150) as filler from generate_series(1, 4000) as i; create index on t${n} (i);`,
  )
  await postgres.psql('wide', tables.join(' '))
  const key = await bench.dump('wide')
  const url = postgres.url('narrow', { user: 'few', password: 'few' })
  const run = succeeded(await bench.run('restore', '', { 'database-url': url, 'dump-key': key, jobs: '6' }))
  assert.match(
    run.log,
    /Restoring with 2 jobs instead of 6: role, database and server allow no more connections/,
  )
  assert.equal(await postgres.psql('narrow', 'select count(*) from t5'), '4000')
})

test('a role of two connections replaces a database, and only the comparison of rights is left out', async () => {
  const { postgres } = bench
  await postgres.psql('postgres', `create role two login createdb password 'two' connection limit 2`)
  await postgres.createDatabase('notes')
  await postgres.psql('notes', 'create table notes as select generate_series(1, 10) as n')
  const url = postgres.url('replaced', { user: 'two', password: 'two' })
  const inputs = { 'database-url': url, 'dump-key': await bench.dump('notes'), jobs: '1' }
  succeeded(await bench.run('restore', '', inputs))
  const { warnings } = succeeded(await bench.run('restore', '', inputs))
  assert.equal(warnings.length, 1)
  assert.match(warnings[0]!, /Could not compare the rights of roles.*the server has no free connection/)
})

test('a full lock table names the setting and what helps, in dump and in place', async () => {
  const { postgres } = bench
  await using roomy = await startPostgres()
  await roomy.createDatabase('crowded')
  const tables = Array.from({ length: 1500 }, (_, n) => `create table error_log_${n} (id int)`)
  await roomy.psql('crowded', tables.join(';'))
  const key = await bench.dump('crowded', { 'database-url': roomy.url('crowded') })
  succeeded(await bench.run('restore', 'crowded', { 'dump-key': key }))
  const setting = 'out of shared memory.*raise its setting max_locks_per_transaction'
  failed(
    await bench.run('dump', 'crowded'),
    new RegExp(`^pg_dump failed: ${setting}.*or dump parts of the database`),
  )
  await postgres.createDatabase('emptied')
  failed(
    await bench.run('restore', 'emptied', { 'dump-key': key, swap: 'false' }),
    new RegExp(`${setting}.*or set swap: true`),
  )
})
