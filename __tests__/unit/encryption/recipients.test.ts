import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { tempFolder } from '../../../lab/temp.ts'
import { mixesKinds, parseRecipients, shortRecipient } from '../../../src/encryption/recipients.ts'
import { messageOf } from '../../../src/errors.ts'

const secret = await generateX25519Identity()
const alice = await identityToRecipient(secret)
const bob = await identityToRecipient(await generateX25519Identity())
const quantum = await identityToRecipient(await generateHybridIdentity())

test('recipients are read from lines, with comments, from files of every encoding, each once', async () => {
  await using folder = tempFolder('recipients')
  const write = (name: string, content: string | Buffer) => writeFileSync(join(folder.path, name), content)
  write('team keys.txt', `# the team\r\n${alice} # Alice\r\n\r\n  ${quantum}\r\n`)
  write('utf16.txt', Buffer.from(`\ufeff${bob}\n`, 'utf16le'))
  write('bom.txt', `\ufeff${bob}\n`)
  const read = (text: string) => parseRecipients(text, folder.path)
  assert.deepEqual(read(alice), [alice])
  assert.deepEqual(read(`# ops\n${alice}\n\n${bob} # Bob\n${alice}`), [alice, bob])
  assert.deepEqual(read('team keys.txt'), [alice, quantum])
  assert.deepEqual(read(join(folder.path, 'utf16.txt')), [bob])
  assert.deepEqual(read(`${alice}\nbom.txt`), [alice, bob])
  assert.deepEqual(
    [mixesKinds([alice, bob]), mixesKinds([quantum]), mixesKinds([quantum, bob])],
    [false, false, true],
  )
  assert.equal(shortRecipient(quantum).length, 17)
})

test('what is not a recipient is refused in one sentence that says what to do', async () => {
  await using folder = tempFolder('recipients')
  writeFileSync(join(folder.path, 'bad.txt'), `${alice}\nssh-ed25519 AAAA\n`)
  writeFileSync(join(folder.path, 'empty.txt'), '# nobody yet\n')
  writeFileSync(join(folder.path, 'key.txt'), `# public key: ${alice}\n${secret}\n`)
  const cases: [string, RegExp][] = [
    ['# later', /^has comments and no recipient/],
    [alice.slice(0, -1), /^has "age1.{8}….{4}", which is not a whole recipient/],
    [alice.toUpperCase(), /is not a whole recipient/],
    [`${alice} ${bob}`, /not a whole recipient .*one a line/],
    [`${alice},${bob}`, /not a whole recipient/],
    [
      'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@host',
      /^has a line, which is not a recipient of age; make a key/,
    ],
    ['age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt', /the plugin "yubikey"/],
    ['age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e', /the plugin "tag"/],
    [secret, /^has a line, which is a secret key; give the public key/],
    [secret.toLowerCase(), /is a secret key/],
    ['keys/none.txt', /"keys\/none\.txt".*it does not exist; did a step check/],
    ['.', /neither a recipient .* EISDIR/],
    ['$HOME/keys', /begins with "\$HOME"/],
    ['bad.txt', /names the file "bad\.txt", which has in line 2 something that is not a recipient/],
    ['empty.txt', /names the file "empty\.txt", which has no recipient/],
    ['key.txt', /in line 2 something that is a secret key/],
  ]
  for (const [text, reason] of cases) {
    assert.throws(
      () => parseRecipients(text, folder.path),
      (error) => {
        assert.match(messageOf(error), reason)
        assert.doesNotMatch(messageOf(error), /SECRET-KEY-1\w/i)
        return true
      },
      text,
    )
  }
})
