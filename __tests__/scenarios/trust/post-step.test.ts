import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import {
  allGone,
  catalogue,
  type Inputs,
  type LifecycleBench,
  longAgo,
  mark,
  startLifecycleBench,
  temporaries,
} from '../../../lab/benches/lifecycle-bench.ts'
import { freePort } from '../../../lab/port.ts'
import { type ActionRun, runPost } from '../../../lab/runner/action.ts'
import { root } from '../../../lab/runner/action-inputs.ts'
import { failedAfterwards, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

const CHANGED =
  /Could not remove the database "live__pgclone_.*: the inputs of this step or its config-file have changed/

let bench: LifecycleBench
let key: string

before(async () => {
  bench = await startLifecycleBench()
  await bench.make('source', 'dumped')
  key = await bench.dump('source')
})
after(() => bench?.[Symbol.asyncDispose]())
afterEach(dropTemporaries)

/** A workspace with a config file that names the target. */
function workspaceWith(lines: string): string {
  const workspace = tempFolder('workspace').path
  mkdirSync(join(workspace, '.github'))
  configure(workspace, `database-url: ${bench.postgres.url('live')}\n  ${lines}`)
  return workspace
}

function configure(workspace: string, lines: string): void {
  writeFileSync(join(workspace, '.github/pgclone.yml'), `preview:\n  ${lines}\n`)
}

type Killed = { cwd?: string; env?: Record<string, string>; more?: Inputs }

/** A restore that was killed in a hook, by when it has a staging database. */
async function killedRestore({ cwd, env, more }: Killed = {}): Promise<ActionRun> {
  const options = { cwd: cwd ?? tempFolder('workspace').path, ...(env && { env }) }
  const hook = { 'dump-key': key, 'pre-swap-hooks': 'echo begun; sleep 120' }
  const action = bench.start('restore', more?.config ? '' : 'live', { ...hook, ...more }, options)
  await action.waitForLog(/hook \| begun/)
  action.kill()
  const run = await action.done
  await allGone(bench)
  assert.equal((await temporaries(bench)).length, 1)
  return run
}

async function dropTemporaries(): Promise<void> {
  for (const name of await temporaries(bench))
    await bench.postgres.psql('postgres', `drop database "${name}"`)
}

/** The state of a run with other leftovers. */
function leaving(run: ActionRun, ...items: unknown[]): ActionRun {
  return { ...run, state: { ...run.state, pending: JSON.stringify(items) } }
}

test('#46 the post step acts on the config file of main, and starts no command of a later one', async () => {
  const workspace = workspaceWith('jobs: 1')
  const run = await killedRestore({ cwd: workspace, more: { config: 'preview' } })
  const touched = join(workspace, 'touched')
  configure(
    workspace,
    `database-url: ${bench.postgres.url('live')}\n  tunnel-command: touch ${touched}; sleep 100`,
  )
  assert.match(succeeded(await runPost(run)).warnings.join(), CHANGED)
  assert.ok(!existsSync(touched))
  configure(workspace, '[')
  assert.match(succeeded(await runPost(run)).warnings.join(), CHANGED)
  configure(workspace, `database-url: ${bench.postgres.url('live')}\n  jobs: 1`)
  assert.match(succeeded(await runPost(run)).log, /Removed what the step left behind: the database "live__/)
  assert.deepEqual(await temporaries(bench), [])
})

test('#46 the post step acts on the variables of main', async () => {
  const run = await killedRestore()
  const touched = join(run.workspace, 'touched')
  const inputs = { ...run.inputs, 'tunnel-command': `touch ${touched}; sleep 100` }
  assert.match(succeeded(await runPost({ ...run, inputs })).warnings.join(), CHANGED)
  assert.ok(!existsSync(touched))
  succeeded(await runPost(run))
  assert.deepEqual(await temporaries(bench), [])
})

test('#46 the post step starts no tunnel from the checkout of a fork', async () => {
  const { postgres } = bench
  const [workspace, port] = [tempFolder('workspace').path, await freePort()]
  const [script, touched, base] = [join(workspace, 'tunnel.sh'), join(workspace, 'touched'), 'a'.repeat(40)]
  const checkout = (commit: string, text: string) => {
    mkdirSync(join(workspace, '.git'), { recursive: true })
    writeFileSync(join(workspace, '.git/HEAD'), `${commit}\n`)
    writeFileSync(script, text)
  }
  const forwarder = join(root, 'lab/forwarder.ts')
  checkout(base, `exec '${process.execPath}' '${forwarder}' ${port} ${postgres.port}`)
  const event = join(tempFolder('event').path, 'event.json')
  writeFileSync(event, JSON.stringify({ pull_request: { head: { repo: { full_name: 'stranger/shop' } } } }))
  const env = { GITHUB_EVENT_NAME: 'pull_request_target', GITHUB_EVENT_PATH: event, GITHUB_SHA: base }
  const more = { 'tunnel-command': 'exec sh tunnel.sh', 'database-url': postgres.url('live', { port }) }
  const run = await killedRestore({ cwd: workspace, env, more })
  checkout('b'.repeat(40), `touch ${touched}`)
  failedAfterwards(await runPost(run), /is for a fork, whose code must not decide/)
  assert.ok(!existsSync(touched))
  checkout(base, `exec '${process.execPath}' '${forwarder}' ${port} ${postgres.port}`)
  assert.match(succeeded(await runPost(run)).log, /Removed what the step left behind: the database "live__/)
  assert.deepEqual(await temporaries(bench), [])
})

test('#46 the state that main saves holds no password', async () => {
  const run = await killedRestore({ cwd: workspaceWith('jobs: 1'), more: { config: 'preview' } })
  assert.ok(!JSON.stringify(run.state).includes(bench.postgres.password))
  assert.deepEqual(Object.keys(run.state).toSorted(), ['inputs', 'pending'])
  succeeded(await runPost(run))
  assert.deepEqual(await temporaries(bench), [])
})

test('#46 the post step says "Removed" of nothing that was gone already', async () => {
  const run = await killedRestore()
  await dropTemporaries()
  const post = succeeded(await runPost(run))
  assert.doesNotMatch(post.log, /Removed/)
  assert.deepEqual(post.warnings, [])
})

test('#46 the post step removes only what a step of this run leaves', async () => {
  const run = await killedRestore()
  succeeded(await runPost(run))
  await bench.make('production', 'living')
  await bench.make('closed', 'living')
  await bench.postgres.psql('postgres', 'alter database closed allow_connections false')
  const [other, clone] = ['live__pgclone_0123abcd', 'live__pgclone_0123abce']
  for (const name of [other, clone]) await bench.make(name, 'living')
  await mark(bench, other, {
    kind: 'staging',
    of: 'live',
    at: longAgo,
    run: 'https://github.com/acme/shop/actions/runs/1',
  })
  await mark(bench, clone, { kind: 'clone', of: 'live', at: longAgo, run: '' })
  const outside = join(tempFolder('outside').path, 'pgclone-file')
  const foreign = join(run.runnerTemp, 'file')
  for (const path of [outside, foreign]) writeFileSync(path, 'kept')
  writeFileSync(join(bench.folder, 'data'), 'kept')
  const before = await catalogue(bench)
  const items = [
    ...['production', other, clone].map((name) => ({ kind: 'database', name })),
    { kind: 'connections', database: 'closed' },
    ...[outside, foreign, `${run.runnerTemp}/pgclone-x/../../../../../../${outside}`].map((path) => ({
      kind: 'file',
      path,
    })),
    { kind: 'data', keys: ['data'] },
  ]
  const post = succeeded(await runPost(leaving(run, ...items)))
  assert.doesNotMatch(post.log, /Removed/)
  assert.equal(post.warnings.length, 7, post.warnings.join('\n'))
  assert.deepEqual(await catalogue(bench), before)
  for (const path of [outside, foreign, join(bench.folder, 'data')]) assert.ok(existsSync(path), path)
  const broken = { ...run, state: { ...run.state, pending: '[{"kind":"constructor"}]' } }
  failedAfterwards(await runPost(broken), /is not a list of what it left behind/)
  await bench.postgres.psql('postgres', 'alter database closed allow_connections true')
  for (const name of ['production', 'closed', other, clone])
    await bench.postgres.psql('postgres', `drop database "${name}"`)
})

test('#46 a state in the variables of main makes it no post step', async () => {
  const env = { STATE_post: 'yes', STATE_inputs: 'x', STATE_pending: '[{"kind":"database","name":"source"}]' }
  const run = succeeded(await bench.run('dump', 'source', {}, { env }))
  assert.notEqual(run.outputs['dump-key'] ?? '', '')
  assert.equal(run.state.pending, '[]')
  assert.equal(succeeded(await runPost(run)).visibleLog, '')
  assert.equal(await bench.state('source'), 'dumped')
})
