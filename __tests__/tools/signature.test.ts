import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { AWS_CLI_KEY } from '../../src/tools/aws-key.ts'
import { runCommand } from '../../src/tools/command.ts'
import { PGDG_KEY } from '../../src/tools/pgdg-key.ts'
import { assertSigned, hasGpg, isSignedBy, type Signer } from '../../src/tools/signature.ts'
import { fakeMachine, findReal, type Machine } from './machine.ts'

const skip = findReal('gpg') ? false : 'gpg is not installed'

async function gpg(machine: Machine, home: string, ...args: string[]): Promise<string> {
  const all = ['--homedir', home, '--batch', '--passphrase', '', '--pinentry-mode', 'loopback', ...args]
  const result = await runCommand({ file: 'gpg', args: all }, machine.options)
  assert.ok(result.ok, JSON.stringify(result))
  return result.stdout
}

/** Makes a key, signs the machine's file `bundle` with it, and leaves no agent behind. */
async function sign(
  machine: Machine,
  name: string,
  ...time: string[]
): Promise<Signer & { signature: string }> {
  const home = join(machine.root, name)
  const signature = join(machine.root, `${name}.sig`)
  mkdirSync(home, { mode: 0o700 })
  try {
    await gpg(machine, home, ...time, '--quick-generate-key', `${name}@example.org`, 'ed25519', 'sign', '2d')
    await gpg(machine, home, ...time, '--output', signature, '--detach-sign', join(machine.root, 'bundle'))
    const list = await gpg(machine, home, '--with-colons', '--list-keys')
    const armored = await gpg(machine, home, '--armor', '--export')
    return { armored, fingerprint: /^fpr:+(\w+):/m.exec(list)![1]!, signature }
  } finally {
    await runCommand({ file: 'gpgconf', args: ['--homedir', home, '--kill', 'all'] }, machine.options)
  }
}

function check(machine: Machine, signer: Signer, signature: string): Promise<void> {
  const folder = join(machine.root, 'check')
  mkdirSync(folder)
  return assertSigned({ file: join(machine.root, 'bundle'), signature, signer, folder }, machine.options)
}

function signedMachine(): Machine {
  const machine = fakeMachine()
  machine.borrow('gpg', 'gpgconf')
  writeFileSync(join(machine.root, 'bundle'), 'the bundle')
  return machine
}

test('takes the file that the signer signed', { skip }, async () => {
  await using machine = signedMachine()
  const signer = await sign(machine, 'amazon')
  await check(machine, signer, signer.signature)
})

test('refuses it with one byte changed', { skip }, async () => {
  await using machine = signedMachine()
  const signer = await sign(machine, 'amazon')
  writeFileSync(join(machine.root, 'bundle'), 'the bundlE')
  await assert.rejects(check(machine, signer, signer.signature), /its signature is not good: .*BAD signature/)
})

test('refuses a good signature by somebody else', { skip }, async () => {
  await using machine = signedMachine()
  const signer = await sign(machine, 'amazon')
  const other = await sign(machine, 'mallory')
  await assert.rejects(check(machine, signer, other.signature), /its signature is not good: .*No public key/)
})

test('refuses a key block that was swapped for another key', { skip }, async () => {
  await using machine = signedMachine()
  const { fingerprint } = await sign(machine, 'amazon')
  const other = await sign(machine, 'mallory')
  const swapped = check(machine, { fingerprint, armored: other.armored }, other.signature)
  await assert.rejects(swapped, { message: `its signature is not by the key ${fingerprint}` })
})

test('refuses what is no signature', { skip }, async () => {
  await using machine = signedMachine()
  const signer = await sign(machine, 'amazon')
  writeFileSync(signer.signature, '<html>not found</html>')
  await assert.rejects(check(machine, signer, signer.signature), /its signature is not good/)
})

test('an expired copy of the key still proves who signed', { skip }, async () => {
  await using machine = signedMachine()
  const signer = await sign(machine, 'amazon', '--faked-system-time', '20240101T000000!')
  await check(machine, signer, signer.signature)
})

test('the fingerprint must be the whole last word', () => {
  const fingerprint = 'FB5DB77FD5C118B80511ADA8A6310ACC4672475C'
  const line = (primary: string) => `[GNUPG:] VALIDSIG ABCD 2026-07-01 1782936778 0 4 0 1 8 00 ${primary}`
  const signer = { fingerprint, armored: '' }
  assert.equal(isSignedBy(`[GNUPG:] NEWSIG\n${line(fingerprint)}\r\n`, signer), true)
  assert.equal(isSignedBy(line('0000000000000000000000000000000000000000'), signer), false)
  assert.equal(isSignedBy(`[GNUPG:] ERRSIG ${fingerprint}`, signer), false)
})

for (const [name, key] of Object.entries({ AWS_CLI_KEY, PGDG_KEY })) {
  test(`${name} is the key with its fingerprint, and no other`, { skip }, async () => {
    await using machine = signedMachine()
    const file = join(machine.root, 'key.asc')
    writeFileSync(file, key.armored)
    const home = join(machine.root, 'home')
    mkdirSync(home, { mode: 0o700 })
    const list = await gpg(machine, home, '--with-colons', '--show-keys', file)
    assert.deepEqual(
      [...list.matchAll(/^fpr:+(\w+):/gm)].map((match) => match[1]),
      [key.fingerprint],
    )
    assert.equal(list.match(/^pub:/gm)?.length, 1)
    assert.ok(readFileSync(file, 'utf8').startsWith('-----BEGIN PGP PUBLIC KEY BLOCK-----\n'))
  })
}

test('knows whether there is a gpg', async () => {
  await using machine = fakeMachine()
  assert.equal(await hasGpg(machine.options), false)
  machine.program('bin/gpg', 'echo "gpg (GnuPG) 2.2.40"')
  assert.equal(await hasGpg(machine.options), true)
})
