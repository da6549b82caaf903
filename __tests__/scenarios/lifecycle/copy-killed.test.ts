import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  allGone,
  holdAt,
  holdDatabases,
  type LifecycleBench,
  longAgo,
  mark,
  marker,
  startLifecycleBench,
  temporaries,
  waitsFor,
} from '../../../lab/benches/lifecycle-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { makeData } from '../../../lab/postgres/sample.ts'
import { startProxy } from '../../../lab/proxy.ts'
import { runPost, type StartedAction } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { until } from '../../../lab/until.ts'

let bench: LifecycleBench
const databases = ['live', 'postgres', 'source']

before(async () => {
  bench = await startLifecycleBench()
  await makeData(bench.postgres, 'source', 8)
  await bench.postgres.psql('source', `create table state as select 'new' as state`)
  await bench.make('live', 'old')
})
after(() => bench?.[Symbol.asyncDispose]())

const inputs = (more = {}) => ({
  'source-database-url': bench.postgres.url('source'),
  overwrite: 'true',
  ...more,
})

/** A copy that has reached a step and stays there, and how to let go of what holds it. */
type Held = { action: StartedAction; release: () => unknown }

const steps: Record<string, () => Promise<Held>> = {
  async 'in the stream'() {
    const proxy = await startProxy(bench.postgres)
    proxy.stallAfter(3_000_000)
    const url = bench.postgres.url('source', { port: proxy.port })
    const action = bench.start(
      'copy',
      'live',
      inputs({ 'source-database-url': url, 'copy-method': 'stream' }),
    )
    await until(() => proxy.bytes.server >= 3_000_000, 'data to flow')
    return { action, release: () => proxy[Symbol.asyncDispose]() }
  },
  async 'in a hook'() {
    const stop = join(tempFolder('stop').path, 'go')
    const hook = `echo in the hook; until [ -e ${stop} ]; do sleep 0.05; done`
    const action = bench.start('copy', 'live', inputs({ 'pre-swap-hooks': hook }))
    await action.waitForLog(/hook \| in the hook/)
    return { action, release: async () => writeFileSync(stop, '') }
  },
  async 'in the copy of files'() {
    const session = await holdDatabases(bench)
    const action = bench.start('copy', 'live', inputs({ 'copy-method': 'template' }))
    await waitsFor(bench, 'CREATE DATABASE')
    return { action, release: () => session.end() }
  },
}

/** Nothing of a copy is used, and nothing but what a kill leaves is left. */
async function assertOld(): Promise<void> {
  assert.equal(await bench.state('live'), 'old')
  assert.equal(await bench.state('source'), 'new')
  assert.equal(await marker(bench, 'live'), null)
}

for (const [where, hold] of Object.entries(steps)) {
  test(`#11 a copy killed ${where}: the target is old, and the post step removes the rest`, async () => {
    const { action, release } = await hold()
    action.kill()
    const run = await action.done
    assert.equal(run.signal, 'SIGKILL')
    await release()
    await allGone(bench)
    await assertOld()
    assert.equal((await temporaries(bench)).length, 1, 'a kill leaves the staging database')
    const post = succeeded(await runPost(run))
    assert.match(post.log, /Removed what the step left behind: the database "live__pgclone_/)
    await assertOld()
    await assertNothingLeft({ run: post, postgres: bench.postgres, databases })
  })

  test(`#10 a copy cancelled ${where}: the step itself cleans up`, async () => {
    const { action, release } = await hold()
    action.signal('SIGINT')
    await action.waitForLog(/Cancelled by SIGINT/)
    // A statement that waits on the server cannot be called back; everything else ends by itself.
    if (where === 'in the copy of files') await release()
    const run = failed(await action.done, /cancelled/)
    await release()
    await allGone(bench)
    const post = succeeded(await runPost(run))
    await assertOld()
    await assertNothingLeft({ run: post, postgres: bench.postgres, databases })
  })
}

test('#11 a copy killed in the copy of files, and the runner with it: a later run removes the rest', async () => {
  const { action, release } = await steps['in the copy of files']!()
  action.kill()
  await action.done
  await release()
  await allGone(bench)
  const [left] = await temporaries(bench)
  const next = () => bench.run('drop', 'nothing_to_drop')
  succeeded(await next())
  assert.deepEqual(await temporaries(bench), [left], 'it may be a living one')
  assert.equal((await marker(bench, left!))?.kind, 'staging')
  await mark(bench, left!, { at: longAgo })
  assert.match(
    succeeded(await next()).log,
    /Dropped "live__pgclone_.*" which a killed run left behind|killed run/,
  )
  await assertOld()
  assert.deepEqual(await bench.postgres.databases(), databases)
})

test('#33 killed while the server swaps: the server finishes it', async () => {
  await bench.make('swapped', 'old')
  const stop = join(tempFolder('stop').path, 'go')
  const hook = `echo in the hook; until [ -e ${stop} ]; do sleep 0.05; done`
  const more = inputs({ 'pre-swap-hooks': hook, 'copy-method': 'stream', reversible: 'true' })
  const action = bench.start('copy', 'swapped', more)
  await action.waitForLog(/hook \| in the hook/)
  const held = await holdDatabases(bench)
  writeFileSync(stop, '')
  await using session = await holdAt(bench, 'DO ', held)
  action.kill()
  await action.done
  assert.equal((await bench.postgres.databases()).includes('swapped'), true)
  await session.end()
  await allGone(bench)
  assert.equal(await bench.state('swapped'), 'new')
  assert.deepEqual(await temporaries(bench), [])
  for (const point of ['swapped__pre', 'swapped__post'])
    assert.equal((await marker(bench, point))?.kind, 'point', 'the old one is kept, as was asked')
  assert.equal(await bench.state('swapped__pre'), 'old')
  succeeded(await bench.run('drop', 'swapped', { force: 'true' }))
  succeeded(await bench.run('copy', 'live', inputs()))
  assert.equal(await bench.state('live'), 'new')
  assert.deepEqual(await bench.postgres.databases(), databases)
})

test('#33 the server dies while connections are blocked: the target is the old database, and the post step allows them again', async () => {
  const { postgres } = bench
  await bench.make('struck', 'old')
  const stop = join(tempFolder('stop').path, 'go')
  const hook = `echo in the hook; until [ -e ${stop} ]; do sleep 0.05; done`
  const action = bench.start('copy', 'struck', inputs({ 'pre-swap-hooks': hook, 'copy-method': 'stream' }))
  await action.waitForLog(/hook \| in the hook/)
  const held = await holdDatabases(bench)
  writeFileSync(stop, '')
  const closing = await holdAt(bench, 'DO ', held)
  // One statement goes on: it blocks connections. The renames wait.
  const renaming = holdDatabases(bench)
  await waitsFor(bench, 'begin; lock table pg_database')
  await closing.end()
  await using _ = await renaming
  await waitsFor(bench, 'DO ')
  await assert.rejects(bench.state('struck'), /not currently accepting connections/)
  await postgres.kill()
  const run = failed(await action.done, /"struck", which is either the old or the new one, never a mix/)
  await postgres.restart()
  await assert.rejects(bench.state('struck'), /not currently accepting connections/)
  const post = succeeded(await runPost(run))
  assert.match(post.log, /Removed what the step left behind: the block on connections to "struck"/)
  assert.equal(await bench.state('struck'), 'old')
  await assertNothingLeft({ run: post, postgres, databases: [...databases, 'struck'] })
  await postgres.psql('postgres', 'drop database struck')
})
