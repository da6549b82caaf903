import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { type Postgres, startPostgres } from '../../../lab/postgres/postgres.ts'
import { makeData } from '../../../lab/postgres/sample.ts'
import { startProxy } from '../../../lab/proxy.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { until } from '../../../lab/until.ts'

let bench: Bench
let standby: Postgres
let key: string

before(async () => {
  bench = await startBench()
  await makeData(bench.postgres, 'app', 30)
  key = await bench.dump('folder', 'app')
  const settings = { max_standby_streaming_delay: '0', hot_standby_feedback: 'off' }
  standby = await startPostgres({ standbyOf: bench.postgres, settings })
})
after(async () => {
  await standby?.[Symbol.asyncDispose]()
  await bench?.[Symbol.asyncDispose]()
})

/** Dumps from the standby, and lets a VACUUM of the primary collide with it. */
async function collide(retries: string) {
  await using proxy = await startProxy(standby)
  proxy.stallAfter(3_000_000)
  const logged = standby.log().length
  const url = bench.postgres.url('app', { port: proxy.port })
  const more = { retries, 'database-url': url, compression: 'none' }
  const action = bench.start('dump', 'folder', 'app', more)
  await until(() => proxy.bytes.server >= 3_000_000, 'data to flow')
  await bench.postgres.psql('app', 'delete from bulk where id in (select min(id) from bulk)')
  await bench.postgres.psql('app', 'vacuum bulk')
  // Nothing else writes there, so that what it logged would wait for company.
  await bench.postgres.psql('app', 'select pg_switch_wal()')
  // The process that applies the changes has ended the one that dumps, or stands still because it must wait for it.
  const ended = () => standby.log().slice(logged).includes('due to conflict with recovery')
  const replayed = `select pg_last_wal_replay_lsn()::text as at, pg_last_wal_replay_lsn() < pg_last_wal_receive_lsn() as behind`
  let still = { at: '', looks: 0 }
  await until(async () => {
    const [now] = await standby.query<{ at: string; behind: boolean }>('postgres', replayed)
    still = { at: now!.at, looks: now!.behind && now!.at === still.at ? still.looks + 1 : 0 }
    return ended() || still.looks === 20
  }, 'the conflict')
  proxy.heal()
  return await action.done
}

test('#05 a conflict on a standby is explained and the dump tried again', async () => {
  const run = succeeded(await collide('2'))
  assert.match(
    run.log,
    /The server is a standby: .*\(max_standby_streaming_delay = 0, hot_standby_feedback = off\)/,
  )
  assert.match(
    run.warnings[0]!,
    /^Attempt 1 of 3 failed .*: The standby cancelled the dump, .*hot_standby_feedback = on/,
  )
  const rows = await bench.postgres.psql('app', 'select count(*) from bulk')
  assert.equal(run.outputs['row-count'], rows)
})

test('#05 without retries the conflict is the reason', async () => {
  const harm = await witness(bench)
  await harm.assertHarmless(
    await collide('0'),
    /^The standby cancelled the dump, because it had to apply changes/,
  )
})

test('#05 nothing is restored into a standby', async () => {
  const harm = await witness(bench)
  const url = { 'database-url': standby.url('app'), 'dump-key': key }
  const source = { 'source-database-url': bench.postgres.url('app') }
  const cases = [
    { command: 'restore' },
    { command: 'restore', swap: 'false' },
    { command: 'copy', ...source },
    { command: 'verify' },
    { command: 'drop', force: 'true' },
  ]
  for (const more of cases) {
    const run = await bench.run('restore', 'folder', 'app', { ...url, retries: '2', ...more })
    await harm.assertHarmless(
      run,
      new RegExp(`is a standby, which is read-only; ${more.command} needs the URL of its primary`),
    )
  }
})
