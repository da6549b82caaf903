import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { catalogue, type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

let bench: LifecycleBench

before(async () => {
  bench = await startLifecycleBench()
})
after(() => bench?.[Symbol.asyncDispose]())

test('#47 a step in a pull_request_target run for a fork works with the code of the base repository only', async () => {
  await bench.make('app', 'living')
  const workspace = tempFolder('workspace').path
  const checkout = (commit: string) => writeFileSync(join(workspace, '.git/HEAD'), `${commit}\n`)
  mkdirSync(join(workspace, '.git'))
  const [base, head, event] = ['a'.repeat(40), 'b'.repeat(40), join(tempFolder('event').path, 'event.json')]
  const fork = { pull_request: { head: { sha: head, repo: { full_name: 'stranger/shop' } } } }
  writeFileSync(event, JSON.stringify(fork))
  const env = { GITHUB_EVENT_NAME: 'pull_request_target', GITHUB_EVENT_PATH: event, GITHUB_SHA: base }
  const options = { cwd: workspace, env }
  checkout(head)
  const before = await catalogue(bench)
  for (const [command, inputs] of [
    ['drop', {}],
    ['restore', { 'dump-key': 'latest' }],
    ['copy', { 'source-database-url': bench.postgres.url('app') }],
  ] as const) {
    const run = await bench.run(command, command === 'drop' ? 'app' : 'missing', inputs, options)
    failed(run, new RegExp(`for a fork, whose code must not decide what ${command} does to your databases`))
  }
  assert.deepEqual(await catalogue(bench), before)
  succeeded(await bench.run('drop', 'missing', { force: 'true' }, options))
  checkout(base)
  succeeded(await bench.run('drop', 'missing', {}, options))
})
