/** What the server does not rename or drop is known before the work, or is no obstacle. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  catalogue,
  type Inputs,
  type LifecycleBench,
  makePoints,
  reconnect,
  startLifecycleBench,
  temporaries,
} from '../../../lab/benches/lifecycle-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: LifecycleBench
let key: string

before(async () => {
  bench = await startLifecycleBench({ settings: { max_prepared_transactions: '2', wal_level: 'logical' } })
  await bench.make('source', 'dumped')
  key = await bench.dump('source')
})
after(() => bench?.[Symbol.asyncDispose]())

const restore = (database: string, more: Inputs = {}) =>
  bench.run('restore', database, { 'dump-key': key, overwrite: 'true', ...more })
const copy = (database: string, more: Inputs = {}) =>
  bench.run('copy', database, {
    'source-database-url': bench.postgres.url('source'),
    overwrite: 'true',
    ...more,
  })

const templates = async () => {
  const sql = 'select datname from pg_database where datistemplate order by 1'
  return (await bench.postgres.query<{ datname: string }>('postgres', sql)).map(({ datname }) => datname)
}

test('#44 C13 a template is replaced by a template, nothing stays, and restore points are renewed', async () => {
  const { postgres } = bench
  await bench.make('house', 'old')
  await postgres.psql('postgres', 'alter database house is_template true')
  const names = await postgres.databases()
  const dry = succeeded(await restore('house', { 'dry-run': 'true' }))
  assert.match(dry.log, /the present "house" would be dropped, and the new one would be a template as well/)
  succeeded(await restore('house'))
  succeeded(await copy('house'))
  assert.deepEqual(await postgres.databases(), names)
  for (const round of ['first', 'second']) {
    await postgres.psql('house', `update state set state = '${round}'`)
    succeeded(await restore('house', { reversible: 'true' }))
    assert.equal(await bench.state('house__pre'), round)
  }
  assert.deepEqual(await templates(), ['house', 'template0', 'template1'])
  succeeded(await restore('house', { 'dump-key': ':pre' }))
  assert.equal(await bench.state('house'), 'second')
  assert.deepEqual(await temporaries(bench), [])
})

test('#44 what a former release left as a template is dropped all the same', async () => {
  await makePoints(bench, 'former')
  await bench.postgres.psql('postgres', 'alter database former__pre is_template true')
  succeeded(await restore('former', { reversible: 'true' }))
  assert.equal(await bench.state('former__pre'), 'second')
  assert.deepEqual(await temporaries(bench), [])
})

/** What the server refuses to drop or rename, how it comes about in a database, and how it goes. */
const OBSTACLES: [RegExp, string, string][] = [
  [
    /"(\w+)" has the subscription "feed", so the server would not drop it/,
    `create subscription feed connection 'dbname=nowhere' publication p with (connect = false, slot_name = none)`,
    'drop subscription feed',
  ],
  [
    /"(\w+)" has the prepared transaction "waiting", so it can be neither renamed nor dropped/,
    `begin; create table pending (); prepare transaction 'waiting'`,
    `rollback prepared 'waiting'`,
  ],
]

test('#44 a subscription or a prepared transaction is refused before the work, also in a restore point', async () => {
  const { postgres } = bench
  for (const [index, [says, begin, end]] of OBSTACLES.entries()) {
    await makePoints(bench, 'used')
    // One obstacle in the target stops a dry run, the other a run; in the restore point, the other way round.
    for (const [place, name] of ['used', 'used__pre'].entries()) {
      const more: Inputs = index === place ? { 'dry-run': 'true' } : {}
      await using session = await postgres.connect(name)
      await session.query(begin)
      await session.end()
      const before = await catalogue(bench)
      failed(await restore('used', { reversible: 'true', ...more }), says)
      failed(await copy('used', { reversible: 'true', ...more }), says)
      failed(await bench.run('drop', 'used', more), says)
      assert.deepEqual(await catalogue(bench), before)
      await postgres.psql(name, end)
    }
    succeeded(await restore('used', { reversible: 'true' }))
    assert.deepEqual(await temporaries(bench), [])
    succeeded(await bench.run('drop', 'used'))
  }
})

test('#44 a replication slot ends with its database, which the step says, also in a dry run', async () => {
  const { postgres } = bench
  await bench.make('decoded', 'old')
  await postgres.psql('decoded', `select pg_create_logical_replication_slot('cdc', 'pgoutput')`)
  for (const more of [{ 'dry-run': 'true' }, {}])
    assert.match(
      succeeded(await restore('decoded', more)).log,
      /"decoded" has the logical replication slot "cdc", .* its consumers do not see the new one/,
    )
  assert.equal(await postgres.psql('postgres', 'select count(*) from pg_replication_slots'), '0')
})

test('#44 a restore point is renewed while clients come back to it, or the step fails and both are as they were', async () => {
  const { postgres } = bench
  await makePoints(bench, 'visited')
  {
    await using _ = reconnect(bench, 'visited__pre')
    succeeded(await restore('visited', { reversible: 'true' }))
  }
  const states = (...names: string[]) => Promise.all(names.map(bench.state))
  const names = ['visited', 'visited__pre', 'visited__post']
  assert.deepEqual(await states(...names), ['dumped', 'second', 'dumped'])

  await postgres.psql('postgres', `create role plain login createdb password 'simple-canary'`)
  for (const name of names) await postgres.psql('postgres', `alter database ${name} owner to plain`)
  await postgres.psql('visited', `update state set state = 'third'; alter table state owner to plain`)
  const as = { 'database-url': postgres.url('visited', { user: 'plain', password: 'simple-canary' }) }
  // Only a superuser may end the session of one.
  await using looking = await postgres.connect('visited__pre')
  const run = await restore('visited', { reversible: 'true', ...as })
  failed(run, /could not take the place of "visited", which is as it was/)
  assert.equal(await looking.text('select state from state'), 'second')
  assert.deepEqual(await states(...names), ['third', 'second', 'dumped'])
  await looking.end()
  await postgres.psql('postgres', 'alter database visited__pre owner to postgres')
  failed(await restore('visited', { reversible: 'true', ...as }), /"plain" does not own "visited__pre"/)
})
