/** A dump is committed or not there at all, wherever it is interrupted, and half a dump stops no reader. */
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { runAction, runPost } from '../../../lab/runner/action.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import type { FaultAction } from '../../../lab/s3/fault.ts'
import { until } from '../../../lab/until.ts'

let bench: Bench

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql('app', `create table state as select 'new' as state`)
})
after(() => bench?.[Symbol.asyncDispose]())
afterEach(() => bench.s3.heal())

/** The keys in the bucket, data and manifests. */
const stored = () => [...bench.s3.objects().keys()].map((key) => key.replace('nightly/', '')).sort()

/** A dump to S3 whose request for the manifest has arrived. */
async function committing(action: FaultAction, instance: string) {
  bench.s3.requests.length = 0
  bench.s3.fault({ operation: 'PutObject', key: /\.json$/, action })
  const step = bench.start('dump', 's3', 'app', { instance })
  const arrived = () =>
    bench.s3.requests.some(({ operation, key }) => operation === 'PutObject' && key.endsWith('.json'))
  await until(arrived, 'the manifest to be written')
  return step
}

test('#10 SIGINT while the manifest is written: data and manifest are stored', async () => {
  const step = await committing({ type: 'late-answer', ms: 2000 }, 'interrupted')
  step.signal('SIGINT')
  const run = succeeded(await step.done)
  const key = run.outputs['dump-key']!
  assert.deepEqual(
    stored().filter((name) => name.startsWith('interrupted')),
    [key, `${key}.json`],
  )
  assert.equal(succeeded(await runPost(run)).visibleLog, '')
})

test('#11 SIGKILL while the manifest is written, and the AWS CLI lives on: nothing is stored', async () => {
  const step = await committing({ type: 'delay', ms: 6000 }, 'killed')
  step.signal('SIGKILL')
  const run = await step.done
  succeeded(await runPost(run))
  const request = bench.s3.requests.find(({ key }) => key.endsWith('.json'))!
  await until(() => request.status !== undefined || request.errorCode !== undefined, 'the answer')
  assert.deepEqual(
    stored().filter((name) => name.startsWith('killed')),
    [],
  )
})

test('readers pass over a manifest without data and a dump of another size, and name them', async () => {
  const path = (key: string) => join(bench.folder, key)
  const dump = () => bench.dump('folder', 'app', { instance: 'half' })
  const whole = await dump()
  const [gone, cut] = [await dump(), await dump()]
  rmSync(path(gone))
  writeFileSync(path(cut), readFileSync(path(cut)).subarray(0, -1))
  const names = new RegExp(`Skipped ${gone}\\.json: its data is gone`)
  const differs = new RegExp(`${cut}.*bytes? and its manifest says`)
  const run = succeeded(await bench.run('restore', 'folder', 'target', { 'dump-key': 'half/app' }))
  assert.equal(run.outputs['dump-key'], whole)
  assert.match(run.log, names)
  assert.match(run.warnings.join(), differs)
  const list = succeeded(await bench.run('list', 'folder', ''))
  const listed = JSON.parse(list.outputs.dumps!) as { key: string; committed: boolean }[]
  assert.deepEqual(
    listed.map(({ key, committed }) => [key, committed]),
    [
      [cut, false],
      [whole, true],
    ],
  )
  assert.match(list.log, names)
  assert.match(list.warnings.join(), differs)
  const newest = await dump()
  const prune = succeeded(
    await runAction({ ...bench.inputs('list', 'folder', ''), command: 'prune', 'keep-last': '1' }),
  )
  assert.deepEqual(JSON.parse(prune.outputs.deleted!), [whole])
  assert.deepEqual(JSON.parse(prune.outputs.kept!), [newest, cut])
  assert.match(prune.log, names)
  assert.match(prune.warnings.join(), differs)
})
