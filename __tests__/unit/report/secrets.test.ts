import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { parseCommands } from '../../../lab/runner/runner-commands.ts'
import { hideSecrets, rememberSecret } from '../../../src/report/secrets.ts'

test('known secrets are hidden wherever they come up, long ones whole', () => {
  const secrets = ['canary', 'canary-and-more', '$&(.*)', 'a\nb\nc', '    pad ', 'abcd']
  for (const secret of secrets) rememberSecret(secret)
  const cases: [string, string][] = [
    ['x canary-and-more canary canarycanary', 'x *** *** ******'],
    ['a $&(.*) b', 'a *** b'],
    ['a\nb\nc', '***'],
    ['abcd abc', '*** abc'],
    ['nothing', 'nothing'],
  ]
  for (const [text, expected] of cases) assert.equal(hideSecrets(text), expected)
})

test('what is too short would blank out ordinary words', () => {
  for (const secret of ['', 'abc', '   x   ']) assert.equal(rememberSecret(secret), false, secret)
  assert.equal(hideSecrets('abc x'), 'abc x')
})

test('the runner and the action hide what was masked, unless it is too short', () => {
  const script = `
    const { hideSecrets, mask } = await import(${JSON.stringify(new URL('../../../src/report/secrets.ts', import.meta.url).href)})
    mask(['canary-1', 'abc', '', '    ', 'canary%0A2', 'canary-1'])
    console.log(hideSecrets('canary-1 abc canary%0A2'))`
  const log = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  const masks = parseCommands(log).map(({ name, data }) => `${name} ${data}`)
  assert.deepEqual(masks, ['add-mask canary-1', 'add-mask canary%0A2'])
  assert.equal(log.trim().split('\n').at(-1), '*** abc ***')
})
