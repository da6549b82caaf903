import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { committedDumps, witness } from '../../../lab/benches/witness.ts'
import { makeData } from '../../../lab/postgres/sample.ts'
import { runAction } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { until } from '../../../lab/until.ts'

let bench: Bench

before(async () => {
  bench = await startBench()
  await makeData(bench.postgres, 'app', 1)
})
beforeEach(() => bench.s3.heal())
after(() => bench?.[Symbol.asyncDispose]())

/** A module that stops the clock which names dumps, and takes the chance out of their last digits. */
function stoppedClock(): string {
  const path = join(tempFolder('clock').path, 'clock.mjs')
  const source = `
    const Real = Date
    globalThis.Date = class extends Real {
      constructor(...args) { super(...(args.length ? args : ['2026-11-01T02:00:00.000Z'])) }
    }
    Math.random = () => 0.5`
  writeFileSync(path, source)
  return path
}

test('#17 two dumps of one name at once: the first wins, the other says so, and nothing of the first is lost', async () => {
  const env = { NODE_OPTIONS: `--import=${stoppedClock()}` }
  const config = 'same_name'
  const runs = await Promise.all([1, 2, 3].map(() => bench.run('dump', 'folder', 'app', { config }, { env })))
  const [winner, ...more] = runs.filter((run) => run.exitCode === 0)
  assert.deepEqual(more, [])
  for (const run of runs) if (run !== winner) failed(run, /exists already; another run wrote it/)
  const { 'dump-key': key, 'dump-sha256': sha256 } = succeeded(winner!).outputs
  const stored = readFileSync(join(bench.folder, key!))
  assert.equal(createHash('sha256').update(stored).digest('hex'), sha256)
  const harm = await witness(bench)
  const run = await bench.run('dump', 'folder', 'app', { config }, { env })
  await harm.assertHarmless(run, /exists already; another run wrote it/)
})

test('#17 dumps of one database at once: each has a name of its own', async () => {
  const crowd = (['folder', 'folder', 's3', 's3'] as const).map((place) =>
    bench.run('dump', place, 'app', { config: 'crowd' }),
  )
  const keys = (await Promise.all(crowd)).map((run) => succeeded(run).outputs['dump-key']!)
  assert.equal(new Set(keys).size, crowd.length)
  const committed = committedDumps(bench)
  for (const key of keys) assert.ok(committed.some((name) => name.endsWith(`${key}.json`)))
  succeeded(await bench.run('restore', 'folder', 'crowd', { 'dump-key': keys[0]! }))
})

/** A dump in the bucket, made without the AWS CLI. */
async function storedDump(config: string): Promise<string> {
  const key = await bench.dump('folder', 'app', { config })
  for (const name of [key, `${key}.json`])
    await bench.s3.write(`nightly/${name}`, readFileSync(join(bench.folder, name)))
  return key
}

test('#35 a prune during a dump touches neither its parts nor the dumps before it', async () => {
  const config = 'during'
  const kept = await storedDump(config)
  bench.s3.fault({ operation: 'PutObject', key: /during.*\.json$/, action: { type: 'delay', ms: 6000 } })
  const dump = bench.start('dump', 's3', 'app', { config })
  const uploaded = () =>
    [...bench.s3.objects().keys()].some((key) => /during.*\.dump$/.test(key) && !key.includes(kept))
  await until(uploaded, 'the data to be stored')
  const prune = { command: 'prune', 'keep-last': '1', config, instance: 'shop' }
  const run = succeeded(await runAction({ ...bench.inputs('list', 's3', ''), ...prune }))
  assert.deepEqual(JSON.parse(run.outputs.kept!), [kept])
  assert.deepEqual(JSON.parse(run.outputs.deleted!), [])
  const { outputs } = succeeded(await dump.done)
  const { size } = bench.s3.objects().get(`nightly/${outputs['dump-key']}`)!
  assert.equal(size, Number(outputs['dump-size']))
})

/** What a prune deletes first, and what it deletes then. */
const moments = [
  ['before the evidence is written', { operation: 'HeadObject', key: /\.json$/ }, ['', '.json']],
  ['while the evidence is written', { operation: 'PutObject', key: /\.json$/ }, ['']],
] as const

for (const [when, request, gone] of moments) {
  test(`#36 a prune that deletes a dump ${when} of its verification: its manifest does not come back`, async () => {
    const key = await storedDump('verified')
    const remove = () =>
      Promise.all(gone.map((ending) => bench.s3.remove(`nightly/${key}${ending}`))).then(() => undefined)
    // One look at it belongs to the choice: that of `aws s3 cp` when it reads it.
    bench.s3.fault({
      ...request,
      nth: request.operation === 'HeadObject' ? 2 : 1,
      action: { type: 'call', run: remove },
    })
    const inputs = { ...bench.inputs('list', 's3', 'postgres', { 'dump-key': key }), command: 'verify' }
    const run = failed(await runAction(inputs), /another run deleted it during verify/)
    assert.equal(run.outputs.verified, undefined)
    assert.deepEqual(
      [...bench.s3.objects().keys()].filter((name) => name.includes(key)),
      [],
    )
  })
}

test('#36 a verification keeps its evidence when nobody is in its way', async () => {
  const key = await bench.dump('folder', 'app', { config: 'verified' })
  const inputs = { ...bench.inputs('list', 'folder', 'postgres', { 'dump-key': key }), command: 'verify' }
  assert.equal(succeeded(await runAction(inputs)).outputs.verified, 'true')
  const manifest = JSON.parse(readFileSync(join(bench.folder, `${key}.json`), 'utf8'))
  assert.equal(manifest.verified.serverVersion, bench.postgres.version)
  rmSync(join(bench.folder, key, '..'), { recursive: true })
})
