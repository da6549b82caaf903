import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { tempFolder } from '../../../../lab/temp.ts'
import { findReal } from '../../../../lab/tools/fake-machine.ts'
import { AWS_CLI_KEY } from '../../../../src/tools/aws/aws-key.ts'
import { PGDG_KEY } from '../../../../src/tools/postgres/pgdg-key.ts'
import { assertSigned, fingerprintOf, type Signer } from '../../../../src/tools/proof/openpgp.ts'

// GnuPG makes the signatures, as AWS does; ours only checks them.
const skip = findReal('gpg') ? false : 'gpg is not installed'

type Signed = Signer & { signature: Buffer }

/** Makes a key, signs a file with it, and leaves no agent behind. */
function sign(folder: string, name: string, options: string[] = [], algorithm = 'rsa2048'): Signed {
  const home = join(folder, name)
  mkdirSync(home, { mode: 0o700 })
  const base = ['--homedir', home, '--batch', '--quiet', '--passphrase', '', '--pinentry-mode', 'loopback']
  const gpg = (...args: string[]) =>
    execFileSync('gpg', [...base, ...options, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    gpg('--quick-generate-key', `${name}@example.org`, algorithm, 'sign', '2d')
    const signature = gpg('--output', '-', '--detach-sign', join(folder, 'bundle'))
    const list = gpg('--with-colons', '--list-keys').toString()
    return {
      armored: gpg('--armor', '--export').toString(),
      fingerprint: /^fpr:+(\w+):/m.exec(list)![1]!,
      signature,
    }
  } finally {
    execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'])
  }
}

function makeFile() {
  const folder = tempFolder('openpgp')
  const file = join(folder.path, 'bundle')
  writeFileSync(file, 'the bundle')
  return { folder: folder.path, file, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

const OPTIONS: [string, string[]][] = [
  ['as GnuPG signs', []],
  ['with SHA-256', ['--digest-algo', 'sha256']],
  [
    'with a comment',
    ['--sig-notation', 'note@example.org=a text that makes the packet longer than 192 bytes'],
  ],
]

for (const [name, options] of OPTIONS) {
  test(`takes the file that the signer signed, ${name}`, { skip }, async () => {
    await using made = makeFile()
    const signed = sign(made.folder, 'amazon', options)
    assert.equal(fingerprintOf(signed.armored), signed.fingerprint)
    await assertSigned(made.file, signed.signature, signed)
  })
}

test('an expired copy of the key still proves who signed', { skip }, async () => {
  await using made = makeFile()
  const signed = sign(made.folder, 'amazon', ['--faked-system-time', '20240101T000000!'])
  await assertSigned(made.file, signed.signature, signed)
})

test('refuses whatever is not exactly that', { skip }, async (context) => {
  await using made = makeFile()
  const { folder, file } = made
  const signer = sign(folder, 'amazon')
  const other = sign(folder, 'mallory')
  const { signature } = signer

  await context.test('a signature by somebody else', () =>
    assert.rejects(assertSigned(file, other.signature, signer), {
      message: `it is not a signature of this file by ${signer.fingerprint}`,
    }),
  )
  await context.test('a key block that was swapped for another key', () =>
    assert.rejects(
      assertSigned(file, other.signature, { ...signer, armored: other.armored }),
      /the key is not/,
    ),
  )
  await context.test('two keys in the block', () =>
    assert.rejects(
      assertSigned(file, signature, { ...signer, armored: signer.armored + other.armored }),
      /2 armored blocks/,
    ),
  )
  await context.test('two signatures', () =>
    assert.rejects(
      assertSigned(file, Buffer.concat([other.signature, signature]), signer),
      /not a detached signature/,
    ),
  )
  await context.test('a signature that is cut at any byte', async () => {
    for (let length = 0; length < signature.length; length += 1) {
      await assert.rejects(assertSigned(file, signature.subarray(0, length), signer), Error)
    }
  })
  await context.test('a signature with any signed byte changed', async () => {
    const start = signature.indexOf(4)
    const hashed = 6 + signature.readUInt16BE(start + 4)
    for (let at = start; at < start + hashed; at += 1) {
      const changed = Buffer.from(signature)
      changed[at]! ^= 1
      await assert.rejects(assertSigned(file, changed, signer), Error)
    }
  })
  await context.test('a file with one byte changed', async () => {
    writeFileSync(file, 'the bundlE')
    await assert.rejects(assertSigned(file, signature, signer), /not a signature of this file/)
  })
})

test('a key or a digest of another kind is refused, not believed', { skip }, async () => {
  await using made = makeFile()
  const curve = sign(made.folder, 'curve', [], 'ed25519')
  await assert.rejects(assertSigned(made.file, curve.signature, curve), /not an RSA key/)
  const weak = sign(made.folder, 'weak', ['--digest-algo', 'sha1'])
  await assert.rejects(
    assertSigned(made.file, weak.signature, weak),
    /not an RSA signature of a file with SHA-2/,
  )
})

for (const [name, key] of Object.entries({ AWS_CLI_KEY, PGDG_KEY })) {
  test(`${name} is the key with its fingerprint, and no other`, () => {
    assert.equal(fingerprintOf(key.armored), key.fingerprint)
  })
}

test('the fingerprint is the one that GnuPG reads', { skip }, async () => {
  await using made = makeFile()
  for (const key of [AWS_CLI_KEY, PGDG_KEY]) {
    writeFileSync(made.file, key.armored)
    const args = ['--homedir', made.folder, '--batch', '--with-colons', '--show-keys', made.file]
    const list = execFileSync('gpg', args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString()
    assert.deepEqual(
      [...list.matchAll(/^fpr:+(\w+):/gm)].map((match) => match[1]),
      [key.fingerprint],
    )
    assert.ok(readFileSync(made.file, 'utf8').startsWith('-----BEGIN PGP PUBLIC KEY BLOCK-----\n'))
  }
})
