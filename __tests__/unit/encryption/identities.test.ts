import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { identitySecrets, parseIdentities, recipientsOf } from '../../../src/encryption/identities.ts'
import { messageOf } from '../../../src/errors.ts'

const [one, two] = [await generateX25519Identity(), await generateHybridIdentity()]
const recipient = await identityToRecipient(one)

test('several identities are read with the comments of age-keygen', async () => {
  const file = `# created: 2026-01-02T03:04:05Z\r\n# public key: ${recipient}\r\n${one}\r\n\r\n  ${two}\r\n`
  assert.deepEqual(parseIdentities(file), [one, two])
  assert.deepEqual(await recipientsOf([one]), [recipient])
  const secrets = identitySecrets(file)
  for (const secret of [one, two]) assert.ok(secrets.includes(secret))
  assert.ok(!secrets.some((secret) => secret.includes(recipient)))
})

test('what is not an identity is refused in one sentence without a word of it, and is masked nevertheless', () => {
  const cases: [string, RegExp][] = [
    ['# only a comment', /^has comments and no identity/],
    [recipient, /^has a public key/],
    ['AGE-PLUGIN-YUBIKEY-1Q7R8SQYZS6WGU5C9X0R3M', /^has the identity of a plugin/],
    [
      '-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVu\n-----END AGE ENCRYPTED FILE-----',
      /passphrase; decrypt the/,
    ],
    ['age-encryption.org/v1\n-> scrypt aaaa 18', /passphrase; decrypt the/],
    ['-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r', /a key of another program, such as SSH/],
    [one.slice(0, -1), /not a whole identity/],
    [one.toLowerCase(), /not a whole identity/],
    [`${one}\nkeys/backup.txt`, /not an identity .*not to its path/],
  ]
  for (const [text, reason] of cases) {
    assert.throws(
      () => parseIdentities(text),
      (error) => {
        assert.match(messageOf(error), reason)
        for (const secret of identitySecrets(text)) assert.ok(!messageOf(error).includes(secret))
        return true
      },
    )
    for (const line of text.split('\n').filter((line) => !line.startsWith('#')))
      assert.ok(identitySecrets(text).includes(line), line)
  }
  assert.ok(identitySecrets(`# pasted in one line: ${one} #`).includes(one))
})
