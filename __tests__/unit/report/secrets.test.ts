import assert from 'node:assert/strict'
import { test } from 'node:test'
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
