import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeMachine } from '../../../lab/tools/fake-machine.ts'
import { runCommand } from '../../../src/tools/command.ts'

test('gives the output of a command that succeeded', async () => {
  await using machine = fakeMachine()
  const file = machine.program('bin/greet', 'echo "hello $1"')
  assert.deepEqual(await runCommand({ file, args: ['$HOME'] }, machine.options), {
    ok: true,
    stdout: 'hello $HOME\n',
  })
})

test('gives the last lines of one that failed', async () => {
  await using machine = fakeMachine()
  const file = machine.program(
    'bin/apt-get',
    'echo "E: Could not resolve host" >&2',
    'echo "E: Unable to fetch" >&2',
    'exit 100',
  )
  const result = await runCommand({ file, args: [] }, machine.options)
  const reason = `${file} ended with exit code 100: E: Could not resolve host: E: Unable to fetch`
  assert.deepEqual(result, { ok: false, reason })
})

test('a missing program is a failure like any other', async () => {
  await using machine = fakeMachine()
  const result = await runCommand({ file: 'no-such-program', args: [] }, machine.options)
  assert.ok(!result.ok && /could not be started: .*ENOENT/.test(result.reason))
})

test('sees proxies and its own variables, and no secret of the job', async () => {
  await using machine = fakeMachine()
  const file = machine.program('bin/show', 'echo "$HTTPS_PROXY|$OWN|$PGPASSWORD|$INPUT_TOKEN|$LC_ALL"')
  Object.assign(machine.options.environment.env, {
    HTTPS_PROXY: 'http://proxy',
    PGPASSWORD: 'p',
    INPUT_TOKEN: 't',
  })
  const result = await runCommand({ file, args: [], env: { OWN: 'own' } }, machine.options)
  assert.deepEqual(result, { ok: true, stdout: 'http://proxy|own|||C\n' })
})

test('a command that hangs is ended', async () => {
  await using machine = fakeMachine()
  const file = machine.program('bin/hang', 'exec /bin/sleep 600')
  const result = await runCommand({ file, args: [], timeoutSeconds: 0.2 }, machine.options)
  assert.deepEqual(result, { ok: false, reason: `${file} did not end within 0.2 s` })
})

test('a cancelled run ends its command and says that it was cancelled', async () => {
  await using machine = fakeMachine()
  const file = machine.program('bin/hang', 'exec /bin/sleep 600')
  const cancel = new AbortController()
  const running = runCommand({ file, args: [] }, { ...machine.options, signal: cancel.signal })
  setTimeout(() => cancel.abort(new Error('the run was cancelled')), 100)
  await assert.rejects(running, { message: 'the run was cancelled' })
})
