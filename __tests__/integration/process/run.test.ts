import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run, runChecked } from '../../../src/process/run.ts'

const options = { env: { PATH: process.env.PATH! }, onErrorLine: () => false }

test('a short command gets its input and gives its output', async () => {
  const { exit, stdout } = await run('cat', [], { ...options, input: 'é\n'.repeat(50_000) })
  assert.equal(exit.code, 0)
  assert.equal(stdout, 'é\n'.repeat(50_000))
  assert.equal((await run('true', [], { ...options, input: 'unread'.repeat(100_000) })).exit.code, 0)
})

test('a command that fails is an exception only where that is asked for', async () => {
  const args = ['-c', 'echo out; echo "sh: error: no" >&2; exit 4']
  const { exit, stdout } = await run('/bin/sh', args, options)
  assert.deepEqual([exit.code, stdout], [4, 'out\n'])
  await assert.rejects(
    runChecked('/bin/sh', args, options),
    /^Error: sh ended with exit code 4: sh: error: no$/,
  )
  await assert.rejects(runChecked('/nowhere', [], options), /could not be started/)
})

test('a cancelled command ends, and one that is cancelled before does not start', async () => {
  const cancel = new AbortController()
  setTimeout(() => cancel.abort(new Error('The step was cancelled')), 50)
  const started = Date.now()
  await assert.rejects(run('sleep', ['30'], { ...options, signal: cancel.signal }), /was cancelled/)
  assert.ok(Date.now() - started < 10_000)
  await assert.rejects(run('/nowhere', [], { ...options, signal: cancel.signal }), /was cancelled/)
})
