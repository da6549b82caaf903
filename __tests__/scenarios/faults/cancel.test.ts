import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { makeData } from '../../../lab/postgres/sample.ts'
import { type Side, startProxy } from '../../../lab/proxy.ts'
import { runPost, type StartedAction } from '../../../lab/runner/action.ts'
import { childOf } from '../../../lab/runner/children.ts'
import { assertNoSuccess, succeeded } from '../../../lab/runner/outcome.ts'
import { until } from '../../../lab/until.ts'

let bench: Bench
let proxy: Awaited<ReturnType<typeof startProxy>>
let key: string
let slowKey: string

before(async () => {
  bench = await startBench()
  const { postgres } = bench
  await makeData(postgres, 'app', 18)
  // Its index is quick to make here, and takes two minutes in a copy.
  await postgres.createDatabase('slow')
  await postgres.psql(
    'slow',
    `create table t as select 1 as id;
     create function wait(int) returns int immutable language plpgsql as
     $$ begin if current_database() <> 'slow' then perform pg_sleep(120); end if; return $1; end $$;
     create index waiting on t (wait(id))`,
  )
  await postgres.createDatabase('live')
  await postgres.psql('live', `create table bulk as select 'old' as state`)
  key = await bench.dump('folder', 'app', { compression: 'none' })
  slowKey = await bench.dump('folder', 'slow')
  proxy = await startProxy(postgres)
})
after(async () => {
  await proxy?.[Symbol.asyncDispose]()
  await bench?.[Symbol.asyncDispose]()
})

/** A step that stays in the middle of something. */
type Moment = () => Promise<StartedAction>

/** A step whose connection stalls when so many bytes have passed, and has moved them. */
async function stalled(bytes: number, side: Side, start: (url: Inputs) => StartedAction) {
  const port = proxy.port
  // A program that outlived the test before this one may still send.
  proxy.cutNow('reset')
  proxy.stallAfter(bytes, side)
  const before = proxy.bytes[side]
  const action = start({
    'database-url': bench.postgres.url(side === 'server' ? 'app' : 'live', { port }),
  })
  await until(() => proxy.bytes[side] - before >= bytes, 'data to flow')
  return action
}

const dumping = (place: 'folder' | 's3'): Moment => {
  return async () => {
    const action = await stalled(place === 's3' ? 17_500_000 : 4_000_000, 'server', (url) =>
      bench.start('dump', place, 'app', { ...url, compression: 'none' }),
    )
    // A folder has bytes at once; the AWS CLI may still be starting, and there would be no upload to end.
    if (place === 's3') await until(() => bench.s3.uploads().length > 0, 'an upload')
    return action
  }
}

const restoring = (more: Inputs): Moment => {
  return () =>
    stalled(3_000_000, 'client', (url) =>
      bench.start('restore', 'folder', 'live', { ...url, 'dump-key': key, ...more }),
    )
}

async function hook(): Promise<StartedAction> {
  const action = bench.start('restore', 'folder', 'live', {
    'pre-swap-hooks': 'echo begun; sleep 120',
    ...{ 'dump-key': slowKey, 'pg-restore-args': '--section=pre-data' },
  })
  await action.waitForLog(/hook \| begun/)
  return action
}

async function indexing(): Promise<StartedAction> {
  const action = bench.start('restore', 'folder', 'live', { 'dump-key': slowKey })
  const sql = `select count(*) from pg_stat_activity where wait_event = 'PgSleep'`
  await until(async () => (await bench.postgres.psql('postgres', sql)) !== '0', 'the index to be made')
  return action
}

const moments: [string, Moment, NodeJS.Signals][] = [
  ['a dump to a folder', dumping('folder'), 'SIGTERM'],
  ['a dump to S3', dumping('s3'), 'SIGINT'],
  ['the transfer of a restore', restoring({ jobs: '1' }), 'SIGTERM'],
  ['the transfer of a restore with two jobs', restoring({ jobs: '2' }), 'SIGINT'],
  ['the indexes of a restore', indexing, 'SIGTERM'],
  ['a pre-swap hook', hook, 'SIGTERM'],
  ['a restore in place', restoring({ swap: 'false' }), 'SIGINT'],
]

for (const [what, moment, signal] of moments) {
  test(`#10 ${signal} during ${what}`, async () => {
    const harm = await witness(bench, 'live')
    const action = await moment()
    const told = performance.now()
    action.signal(signal)
    const run = await action.done
    const seconds = (performance.now() - told) / 1000
    proxy.heal()
    // Three and a half seconds is what the runner gives us, after seven and a half, before it kills.
    assert.ok(seconds < 10, `${seconds} s`)
    if (run.errors.some((error) => /not everything could be cleaned up/.test(error))) {
      // A machine under load; the post step has the rest.
      succeeded(await runPost(run))
      await harm.assertClean(run)
      return
    }
    await harm.assertHarmless(run, /The step was cancelled/)
    assert.equal(succeeded(await runPost(run)).visibleLog, '')
  })
}

test('#10 SIGINT while pg_dump waits for a locked table', async () => {
  const harm = await witness(bench, 'live')
  await using session = await bench.postgres.connect('app')
  await session.query('begin; lock table bulk in access exclusive mode')
  const action = bench.start('dump', 'folder', 'app')
  await childOf(action, /pg_dump /)
  action.signal('SIGINT')
  await harm.assertHarmless(await action.done, /The step was cancelled/)
})

const killed: [string, Moment, RegExp | null][] = [
  ['a dump to a folder', dumping('folder'), /temporary file/],
  ['a dump to S3', dumping('s3'), /the upload of/],
  ['the transfer of a restore', restoring({ jobs: '1' }), /the database "live__pgclone_/],
  ['the transfer of a restore with two jobs', restoring({ jobs: '2' }), /temporary file/],
  ['a restore in place', restoring({ swap: 'false' }), null],
]

for (const [what, moment, removed] of killed) {
  test(`#11 SIGKILL for all of us during ${what}: the post step cleans up`, async () => {
    const harm = await witness(bench, 'live')
    const action = await moment()
    action.kill()
    const run = await action.done
    proxy.heal()
    assert.equal(run.signal, 'SIGKILL')
    assertNoSuccess(run.outputs)
    const post = succeeded(await runPost(run))
    if (removed) assert.match(post.log, removed)
    await harm.assertClean(run)
  })
}
