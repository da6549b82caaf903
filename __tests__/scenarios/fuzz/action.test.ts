import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { OWN_COMMANDS } from '../../../lab/benches/witness.ts'
import { HOSTILE } from '../../../lab/hostile-texts.ts'
import { findLeftovers } from '../../../lab/leftovers.ts'
import { startProxy } from '../../../lab/proxy.ts'
import type { ActionRun } from '../../../lab/runner/action.ts'
import { assertNoSuccess, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

let bench: Bench
/** A server that nobody named as a server: who connects to it took a name for an address. */
let evil: Awaited<ReturnType<typeof startProxy>>
let key: string

before(async () => {
  bench = await startBench()
  evil = await startProxy(bench.postgres)
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql('app', 'create table t as select 1 as id')
  key = await bench.dump('folder', 'app')
})
after(async () => {
  await evil?.[Symbol.asyncDispose]()
  await bench?.[Symbol.asyncDispose]()
})

/** Runs steps, some at once, and checks each for what no input may cause. */
async function runAll(steps: Inputs[]): Promise<ActionRun[]> {
  const runs: ActionRun[] = []
  for (let at = 0; at < steps.length; at += 3) {
    const batch = steps.slice(at, at + 3).map((step) => {
      const cwd = tempFolder('workspace').path
      return bench.run('list', 'folder', '', step, { cwd })
    })
    runs.push(...(await Promise.all(batch)))
  }
  for (const run of runs) await assertUntouched(run)
  return runs
}

async function assertUntouched(run: ActionRun): Promise<void> {
  const told = JSON.stringify(run.inputs)
  assert.equal(evil.connections, 0, told)
  for (const folder of [run.workspace, run.runnerTemp, '/tmp', process.cwd()])
    assert.ok(!existsSync(join(folder, 'canary')), told)
  // Where an error came from is for the debug log, which is shown on demand.
  const shown = run.log.split('\n').filter((line) => !line.startsWith('::debug::'))
  assert.doesNotMatch(shown.join('\n'), /^\s+at .+:\d+:\d+\)?$|node:internal/m, 'a stack trace')
  assert.deepEqual(
    run.commands.filter(({ name }) => !OWN_COMMANDS.includes(name)),
    [],
    told,
  )
  assert.ok(
    run.commands.every(({ data }) => data !== 'obeyed'),
    told,
  )
  if (run.exitCode !== 0) {
    assert.equal(run.exitCode, 1, run.log)
    assert.equal(run.errors.length, 1, run.log)
    assertNoSuccess(run.outputs)
  }
  assert.deepEqual(await findLeftovers({ run, postgres: bench.postgres }), [])
}

const url = (database: string) => bench.postgres.url(database)

test('#37 databases with hostile names are dumped, restored, copied and dropped as what they are', async (t) => {
  const { postgres, folder } = bench
  const names = [
    `host=127.0.0.1 port=${evil.port} dbname=x`,
    `postgres://127.0.0.1:${evil.port}/x`,
    `--help '; drop database app; -- $(>canary) \`>canary\` "%s"`,
    '../../..\n::error::obeyed\r##[error]obeyed\n\\! touch canary',
  ]
  for (const name of names) {
    await postgres.createDatabase(name)
    await postgres.psql(name, 'create table t as select 1 as id')
  }
  const dumps = await runAll(names.map((name) => ({ command: 'dump', 'database-url': url(name) })))
  const keys = dumps.map((run) => succeeded(run).outputs['dump-key']!)
  for (const one of keys) assert.ok(readdirSync(join(folder, one, '..')).length > 0)
  const targets = names.map((name) => `${name} 2`)
  const restored = (index: number) => ({
    ...{ command: 'restore', 'dump-key': keys[index]!, 'database-url': url(targets[index]!) },
  })
  const copied = (index: number, method: string) => ({
    ...{ command: 'copy', 'database-url': url(targets[index]!), 'copy-method': method },
    'source-database-url': url(names[index]!),
  })
  const clones = [restored(0), copied(1, 'stream'), copied(2, 'auto'), restored(3)]
  for (const run of await runAll(clones)) succeeded(run)
  for (const name of targets) assert.equal(await postgres.psql(name, 'select count(*) from t'), '1')
  const drops = targets.map((name) => ({ command: 'drop', 'database-url': url(name) }))
  for (const run of await runAll(drops)) succeeded(run)
  assert.deepEqual(await postgres.databases(), [...names, 'app', 'postgres'].sort())
  t.diagnostic(`bad inputs: ${3 * names.length}`)
})

/** Each takes other texts; `npm run reliability` plays more. */
const SEEDS = (process.env.SEEDS ?? '1').split(',').map(Number)

test('#37 hostile texts in inputs do nothing but fail with a sentence, or are nothing but names', async (t) => {
  const before = await bench.postgres.databases()
  const steps = SEEDS.flatMap(hostileSteps)
  await runAll(steps)
  assert.deepEqual(
    (await bench.postgres.databases()).filter((name) => !before.includes(name) && name !== 'live'),
    [],
  )
  t.diagnostic(`bad inputs: ${steps.length}`)
})

function hostileSteps(seed: number): Inputs[] {
  const texts = HOSTILE.filter((text) => !text.includes('\0') && text.trim() !== '')
  const some = (start: number, count: number) =>
    Array.from({ length: count }, (_, index) => {
      return texts[(start + ((seed - 1) * count + index) * 7) % texts.length]!
    })
  const [app, live] = [{ 'database-url': url('app') }, { 'database-url': url('live') }]
  const restored = (text: string) => ({ command: 'restore', 'dump-key': text, ...live })
  return [
    ...some(0, 4).map(restored),
    ...some(1, 1).map((text) => ({ command: 'verify', 'dump-key': text, ...app })),
    ...some(2, 1).map((text) => ({ command: 'prune', 'dump-key': text, 'keep-last': '1' })),
    ...some(3, 2).map((text) => ({ command: 'dump', instance: text, config: text, ...app })),
    ...some(4, 2).map((text) => ({ command: 'dump', tables: text, 'exclude-schemas': text, ...app })),
    ...some(5, 1).map((text) => ({ command: 'dump', 'pg-dump-args': text, ...app })),
    ...some(6, 1).map((text) => ({ ...restored(key), 'pg-restore-args': text })),
    ...some(15, 1).map((text) => ({ ...restored(key), 'maintenance-database': text, 'dry-run': 'true' })),
    ...some(16, 1).map((text) => ({
      ...{ command: 'list', 'storage-location': `s3://${text}`, 's3-config': text },
    })),
    ...some(17, 1).map((text) => ({
      ...{ command: 'list', 's3-endpoint-url': text, 'storage-location': 's3://backups/' },
    })),
  ]
}
