import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { freePort } from '../../../lab/port.ts'
import { makeData } from '../../../lab/postgres/sample.ts'
import { kill, processesWith } from '../../../lab/processes.ts'
import { runPost, type StartedAction } from '../../../lab/runner/action.ts'
import { root } from '../../../lab/runner/action-inputs.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { until } from '../../../lab/until.ts'

const forwarder = join(root, 'lab/forwarder.ts')
let bench: Bench
/** Of the dump that the first test makes. */
let key: string
let port: number

before(async () => {
  bench = await startBench()
  await makeData(bench.postgres, 'app', 6)
})
beforeEach(async () => {
  port = await freePort()
})
after(() => bench?.[Symbol.asyncDispose]())

/** The command of a tunnel to the server, and the URL that leads through it. */
function tunnel(database: string, more = ''): Inputs {
  return {
    'tunnel-command': `exec '${process.execPath}' '${forwarder}' ${port} ${bench.postgres.port} ${more}`,
    'database-url': bench.postgres.url(database, { port }),
  }
}

const forwarders = () => processesWith(`${forwarder}\0${port}`)

async function assertTunnelEnded(): Promise<void> {
  await until(() => forwarders().length === 0, 'the tunnel to end').catch(() => undefined)
  assert.deepEqual(forwarders(), [])
}

test('a dump and a restore go through a tunnel, which sees no secret of ours and ends', async () => {
  const { postgres, s3, folder } = bench
  const file = join(tempFolder().path, 'environment')
  const inputs = tunnel('app')
  const command = `env > ${file}; sleep 98765 & ${inputs['tunnel-command']}`
  // A folder ignores the secrets of a bucket, which the step has all the same.
  const more = { ...inputs, 'tunnel-command': command, 's3-config': s3.config }
  const dump = succeeded(await bench.run('dump', 'folder', 'app', more))
  key = dump.outputs['dump-key']!
  assert.match(dump.log, /The tunnel is open/)
  // What it prints is no command for the runner.
  assert.match(dump.log, /tunnel \| : :error::forwarder is listening/)
  const environment = readFileSync(file, 'utf8')
  assert.match(environment, /^GITHUB_REPOSITORY=/m)
  for (const secret of [postgres.canary, ...s3.secrets]) assert.ok(!environment.includes(secret))
  assert.doesNotMatch(environment, /^(INPUT_|PG|DATABASE_URL|STATE_)/m)
  await assertTunnelEnded()
  assert.deepEqual(processesWith('sleep\x0098765'), [])
  const run = succeeded(await bench.run('restore', 'folder', 'copy', { ...tunnel('copy'), 'dump-key': key }))
  await assertTunnelEnded()
  await assertNothingLeft({ run, postgres, s3, folder, databases: ['app', 'copy', 'postgres'] })
  await postgres.psql('postgres', 'drop database copy')
})

const broken: [string, string, RegExp][] = [
  [
    'fails',
    'echo "no route to the bastion" >&2; exit 7',
    /ended with exit code 7 .*: no route to the bastion/,
  ],
  ['goes to the background', 'true', /ended with exit code 0 .* must stay in the foreground/],
]

for (const [what, command, says] of broken) {
  test(`a tunnel-command that ${what} fails the step`, async () => {
    const harm = await witness(bench)
    const run = await bench.run('dump', 'folder', 'app', { ...tunnel('app'), 'tunnel-command': command })
    await harm.assertHarmless(run, says)
  })
}

test('a server that answers without the tunnel may be another one', async () => {
  const harm = await witness(bench)
  const more = { 'tunnel-command': 'sleep 100' }
  const run = await bench.run('dump', 'folder', 'app', more)
  await harm.assertHarmless(run, /answers at 127\.0\.0\.1:\d+ before tunnel-command has started/)
})

test('a tunnel that breaks in the middle is the reason, and the post step opens it again to clean up', async () => {
  const harm = await witness(bench)
  const more = { ...tunnel('live', '2000000'), 'dump-key': key, jobs: '1', retries: '2' }
  const run = await bench.run('restore', 'folder', 'live', more)
  failed(run, /^tunnel-command ended with exit code 9 before the step did: .*broken on purpose/)
  await assertTunnelEnded()
  assert.match(succeeded(await runPost(run)).log, /Removed what the step left behind: the database "live__/)
  await assertTunnelEnded()
  await harm.assertClean(run)
})

/** A step that is in the middle of a hook, behind a tunnel. */
async function inHook(): Promise<StartedAction> {
  const more = { ...tunnel('live'), 'dump-key': key, 'pre-swap-hooks': 'echo begun; sleep 120' }
  const action = bench.start('restore', 'folder', 'live', more)
  await action.waitForLog(/hook \| begun/)
  assert.equal(forwarders().length, 1)
  return action
}

test('a cancelled step cleans up through the tunnel, and ends it', async () => {
  const harm = await witness(bench)
  const action = await inHook()
  action.signal('SIGINT')
  await harm.assertHarmless(await action.done, /The step was cancelled/)
  await assertTunnelEnded()
})

test('a step that was killed leaves the tunnel to the post step', async () => {
  const harm = await witness(bench)
  const action = await inHook()
  const pid = forwarders()[0]?.pid
  kill(action.pid, 'SIGKILL')
  const run = await action.done
  assert.equal(forwarders()[0]?.pid, pid)
  action.kill()
  const post = succeeded(await runPost(run))
  assert.match(post.log, /Removed what the step left behind: the processes of tunnel-command/)
  await assertTunnelEnded()
  await harm.assertClean(run)
})
