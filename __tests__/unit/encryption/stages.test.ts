import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { inflateSync } from 'node:zlib'
import {
  Decrypter,
  Encrypter,
  generateHybridIdentity,
  generateX25519Identity,
  identityToRecipient,
} from 'age-encryption'
import * as vectors from 'cctv-age'
import { EncryptionError, NoMatchError } from '../../../src/encryption/encryption-error.ts'
import { sealHeader } from '../../../src/encryption/header.ts'
import { decryption, encryption } from '../../../src/encryption/stages.ts'
import type { Stage } from '../../../src/process/transfer.ts'

const CHUNK = 64 * 1024
const SEALED = CHUNK + 16

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size))
}

/** What a stage lets pass, and the error that ends it. */
async function pass(stage: Stage, bytes: Uint8Array, size = 30_000) {
  const passed: Buffer[] = []
  try {
    for await (const part of stage(inPieces(bytes, size))) passed.push(Buffer.from(part))
    return { bytes: Buffer.concat(passed), error: null }
  } catch (error) {
    return { bytes: Buffer.concat(passed), error: error as Error }
  }
}

async function whole(stage: Stage, bytes: Uint8Array, size?: number): Promise<Buffer> {
  const { bytes: passed, error } = await pass(stage, bytes, size)
  if (error) throw error
  return passed
}

type Vector = { expect: string; payload: string | undefined; identities: string[]; file: Buffer }

function parse(content: Uint8Array): Vector & { skip: boolean } {
  const bytes = Buffer.from(content)
  const end = bytes.indexOf('\n\n')
  const fields = bytes
    .subarray(0, end)
    .toString()
    .split('\n')
    .map((line) => line.split(': ') as [string, string])
  const all = (name: string) => fields.filter(([key]) => key === name).map(([, value]) => value)
  const file = bytes.subarray(end + 2)
  return {
    expect: all('expect')[0]!,
    payload: all('payload')[0],
    identities: all('identity'),
    file: all('compressed').length > 0 ? inflateSync(file) : file,
    // Neither armor nor passphrases are for dumps.
    skip: all('armored').length > 0 || all('passphrase').length > 0,
  }
}

/** What the error of a vector must be. */
const FAILURES: Record<string, (error: Error | null) => boolean> = {
  success: (error) => error === null,
  'no match': (error) => error instanceof NoMatchError,
  'HMAC failure': (error) => error instanceof EncryptionError && /its header was changed/.test(error.message),
  'header failure': (error) =>
    error instanceof EncryptionError && /header|does not begin|before its content/.test(error.message),
  'payload failure': (error) => error instanceof EncryptionError && /encrypted data/.test(error.message),
}

test('the public test vectors of age', async () => {
  let tried = 0
  for (const [name, content] of Object.entries(vectors as unknown as Record<string, Uint8Array>)) {
    const { expect, payload, identities, file, skip } = parse(content)
    if (skip) continue
    tried += 1
    for (const size of file.length < 1 << 20 ? [1 << 20, 1021] : [1 << 20]) {
      const { bytes, error } = await pass(decryption(identities), file, size)
      assert.ok(FAILURES[expect]!(error), `${name}: ${error?.message ?? 'no error'}`)
      // Also what was let pass before a failure must be authentic.
      if (payload) assert.equal(createHash('sha256').update(bytes).digest('hex'), payload, name)
    }
  }
  assert.ok(tried > 80, String(tried))
})

const [alice, bob, carol] = await Promise.all([
  generateX25519Identity(),
  generateX25519Identity(),
  generateHybridIdentity(),
])
const recipients = await Promise.all([alice, bob].map(identityToRecipient))

test('every length that matters comes back, in pieces of every size, for each recipient and for the library', async () => {
  const lengths = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 17]
  for (const [index, length] of lengths.entries()) {
    const plain = randomBytes(length)
    const sealed = await whole(encryption(await sealHeader(recipients)), plain, [7001, 1 << 20][index % 2])
    for (const identity of [alice, bob])
      assert.ok((await whole(decryption([carol, identity]), sealed, 5003 * (index + 1))).equals(plain))
    const decrypter = new Decrypter()
    decrypter.addIdentity(bob)
    assert.ok(plain.equals(await decrypter.decrypt(sealed)))
    const encrypter = new Encrypter()
    for (const recipient of recipients) encrypter.addRecipient(recipient)
    assert.ok((await whole(decryption([alice]), await encrypter.encrypt(plain))).equals(plain))
  }
})

test('a post-quantum recipient opens its files', async () => {
  const plain = randomBytes(1000)
  const sealed = await whole(encryption(await sealHeader([await identityToRecipient(carol)])), plain)
  assert.ok((await whole(decryption([carol]), sealed)).equals(plain))
  await assert.rejects(whole(decryption([alice]), sealed), NoMatchError)
})

test('two files of the same content have nothing in common', async () => {
  const plain = Buffer.alloc(3 * CHUNK)
  const make = async () => whole(encryption(await sealHeader(recipients)), plain)
  const [one, two] = await Promise.all([make(), make()])
  assert.equal(one.length, two.length)
  const tail = (file: Buffer, chunk: number) =>
    file.subarray(-(chunk + 1) * SEALED, -(chunk + 1) * SEALED + 64)
  assert.notDeepEqual(tail(one, 1), tail(two, 1))
  assert.notDeepEqual(tail(one, 1), tail(one, 2))
})

test('a file that is cut, changed, reordered, continued or mixed with another fails, and passes on only what is authentic', async () => {
  const plain = randomBytes(4 * CHUNK + 100)
  const sealed = await whole(encryption(await sealHeader(recipients)), plain)
  const other = await whole(encryption(await sealHeader(recipients)), plain)
  const start = sealed.length - (4 * SEALED + 116)
  const chunk = (file: Buffer, index: number) =>
    file.subarray(start + index * SEALED, start + (index + 1) * SEALED)
  const head = sealed.subarray(0, start)
  const chunks = (...order: number[]) => Buffer.concat([head, ...order.map((index) => chunk(sealed, index))])
  const flip = (at: number) => {
    const copy = Buffer.from(sealed)
    copy[at]! ^= 1
    return copy
  }
  const cases: [Buffer, RegExp][] = [
    [sealed.subarray(0, start), /ends inside chunk 1/],
    [sealed.subarray(0, start - 16), /ends before its content/],
    [sealed.subarray(0, start - 20), /ends inside its header/],
    [sealed.subarray(0, start + 2 * SEALED), /ends after chunk 2, which is not its last one/],
    [sealed.subarray(0, start + 2 * SEALED + 5), /ends inside chunk 3/],
    [sealed.subarray(0, sealed.length - 1), /ends inside chunk 5, or that chunk was changed/],
    [flip(start + 2 * SEALED + 40_000), /chunk 3 of the encrypted data was changed/],
    [flip(start - 3), /chunk 1 of the encrypted data was changed/],
    [flip(60), /no identity opens it|header was changed|does not begin/],
    [flip(start - 16 - 10), /header was changed/],
    [chunks(0, 2, 1, 3, 4), /chunk 2 of the encrypted data was changed, or belongs elsewhere/],
    [chunks(0, 1, 1, 3, 4), /chunk 3/],
    [chunks(1, 2, 3, 4), /chunk 1/],
    [Buffer.concat([sealed, chunk(sealed, 0)]), /chunk 5/],
    [
      Buffer.concat([head, chunk(sealed, 0), chunk(other, 1), sealed.subarray(start + 2 * SEALED)]),
      /chunk 2/,
    ],
    [Buffer.from('PGDMP and so on, an archive'), /an archive that is not encrypted/],
    [Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n'), /it is armored/],
    [Buffer.alloc(200_000, 'x'), /does not begin as a file of age/],
    [Buffer.from(`age-encryption.org/v1\n${'-> X25519 a\n'.repeat(9000)}`), /ends inside its header/],
  ]
  for (const [file, reason] of cases) {
    for (const size of [1 << 20, 997]) {
      const { bytes, error } = await pass(decryption([alice]), file, size)
      assert.ok(error instanceof EncryptionError, `${reason}: ${error}`)
      assert.match(error.message, reason)
      assert.ok(plain.subarray(0, bytes.length).equals(bytes))
    }
  }
})

test('the source is closed when the reader stops early', async () => {
  let closed = 0
  async function* endless() {
    try {
      for (;;) yield Buffer.alloc(CHUNK)
    } finally {
      closed += 1
    }
  }
  const sealed = encryption(await sealHeader(recipients))
  for (const stage of [sealed, (source: AsyncIterable<Buffer>) => decryption([alice])(sealed(source))]) {
    let parts = 0
    for await (const _ of stage(endless())) if (++parts === 4) break
  }
  assert.equal(closed, 2)
})
