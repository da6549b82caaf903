import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

let bench: LifecycleBench
let key: string
let workspace: string

before(async () => {
  bench = await startLifecycleBench()
  await bench.make('app', 'source')
  key = await bench.dump('app')
  workspace = tempFolder('workspace').path
})
after(() => bench?.[Symbol.asyncDispose]())

test('verify-sql as text and as a file decides whether the step succeeds', async () => {
  writeFileSync(join(workspace, 'check.sql'), 'SELECT true; SELECT NULL::boolean;\n')
  const verify = (sql: string) =>
    bench.run('verify', 'app', { 'dump-key': key, 'verify-sql': sql }, { cwd: workspace })
  succeeded(await verify('VALUES (true), (true)'))
  for (const sql of ['VALUES (NULL::boolean)', 'check.sql'])
    failed(await verify(sql), /1 of 1 row is not true/)
})

const rows = () => bench.postgres.psql('app', `select count(*) from state where state = 'late'`)
const write = `psql -Xqc "insert into state values ('late')"`

test('what a cancelled or failed hook has started does not go on', async () => {
  const background = `(trap '' INT TERM; sleep 4; ${write}) & `
  const failing = await bench.run(
    'dump',
    'app',
    { 'pre-dump-hooks': `${background} exit 3` },
    { cwd: workspace },
  )
  failed(failing, /exit 3.*failed/)
  const started = bench.start(
    'dump',
    'app',
    { 'pre-dump-hooks': `${background} echo begun; sleep 60` },
    { cwd: workspace },
  )
  await started.waitForLog(/begun/)
  started.signal('SIGINT')
  failed(await started.done, /cancel/i)
  await sleep(5000)
  assert.equal(await rows(), '0')
})

test('a hook that leaves something in the background does not hold the step', async () => {
  const begun = Date.now()
  const run = await bench.run('dump', 'app', { 'pre-dump-hooks': 'sleep 47 & echo left' }, { cwd: workspace })
  succeeded(run)
  assert.ok(Date.now() - begun < 30_000)
  writeFileSync(join(workspace, 'leaves.sql'), `\\! sleep 46 &\nselect true;\n`)
  const checked = await bench.run(
    'verify',
    'app',
    { 'dump-key': key, 'verify-sql': 'leaves.sql' },
    { cwd: workspace },
  )
  succeeded(checked)
  assert.ok(Date.now() - begun < 45_000)
})
