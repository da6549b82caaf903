import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { makeData } from '../../../lab/postgres/sample.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

const CHUNK = 64 * 1024
const SEALED = CHUNK + 16

const [alice, bob, stranger] = await Promise.all([
  generateX25519Identity(),
  generateX25519Identity(),
  generateHybridIdentity(),
])
const [aliceKey, bobKey, strangerKey] = (await Promise.all(
  [alice, bob, stranger].map(identityToRecipient),
)) as [string, string, string]
const secrets = [alice, bob, stranger]

let bench: Bench
let key: string
let bytes: Buffer
let manifest: Record<string, unknown>
/** Where the first chunk begins. */
let start: number

before(async () => {
  bench = await startBench()
  const { postgres } = bench
  await makeData(postgres, 'app', 3)
  await postgres.createDatabase('live')
  await postgres.psql('live', 'create table only_here (id int)')
  key = await bench.dump('folder', 'app', { compression: 'none', 'encrypt-to': `${aliceKey}\n${bobKey}` })
  bytes = readFileSync(join(bench.folder, key))
  manifest = JSON.parse(readFileSync(join(bench.folder, `${key}.json`), 'utf8'))
  start = bytes.indexOf('\n', bytes.indexOf('\n--- ') + 1) + 1 + 16
  assert.ok(bytes.length > start + 20 * SEALED)
})
beforeEach(() => put(bytes, manifest))
after(() => bench?.[Symbol.asyncDispose]())

function put(dump: Uint8Array, record: object): void {
  writeFileSync(join(bench.folder, key), dump)
  writeFileSync(join(bench.folder, `${key}.json`), JSON.stringify(record))
}

/** The manifest that whoever altered the dump would write. */
const fitting = (dump: Uint8Array) => ({
  ...manifest,
  size: dump.length,
  sha256: createHash('sha256').update(dump).digest('hex'),
})

function flipped(at: number): Buffer {
  const altered = Buffer.from(bytes)
  altered[at]! ^= 0x01
  return altered
}

function swapped(one: number, other: number): Buffer {
  const altered = Buffer.from(bytes)
  const chunk = (index: number) => bytes.subarray(start + index * SEALED, start + (index + 1) * SEALED)
  chunk(one).copy(altered, start + other * SEALED)
  chunk(other).copy(altered, start + one * SEALED)
  return altered
}

const restore = (more: Inputs) => bench.run('restore', 'folder', 'live', { 'dump-key': key, ...more })

test('without the right identity, a restore and a verify say whose key it takes, and touch nothing', async () => {
  const short = (recipient: string) => `${recipient.slice(0, 12)}…${recipient.slice(-4)}`
  const recipients = `to ${short(aliceKey)}, ${short(bobKey)}`
  const cases: [Inputs, string][] = [
    [{}, `is encrypted ${recipients}, and age-identity is missing; set it to the secret key`],
    [{ 'dry-run': 'true' }, 'age-identity is missing'],
    [{ swap: 'false' }, 'age-identity is missing'],
    [{ command: 'verify' }, 'age-identity is missing'],
    [{ 'template-cache': '2' }, 'age-identity is missing'],
    [
      { 'age-identity': stranger },
      `age-identity belongs to ${short(strangerKey)} and does not open ${key}, which is encrypted ${recipients}`,
    ],
    [{ 'age-identity': stranger, command: 'verify' }, 'does not open'],
    [{ 'age-identity': aliceKey }, 'Input age-identity has a public key (age1…)'],
    [
      { 'age-identity': `${alice.slice(0, -3)}AAA` },
      'Input age-identity has a line that is not a whole identity',
    ],
    [{ 'age-identity': 'keys/backup.txt' }, 'Input age-identity has a line that is not an identity'],
  ]
  for (const [more, says] of cases) {
    const harm = await witness(bench, 'live')
    const run = await restore(more)
    failed(run, /age-identity/)
    assert.equal(run.errors.length, 1)
    assert.ok(run.errors[0]!.includes(says), run.errors[0])
    await harm.assertClean(run, { secrets: [...secrets, more['age-identity'] ?? stranger].slice(0, 3) })
    assert.doesNotMatch(run.commandLines.join('\n'), /pg_restore.*--dbname/)
  }
})

test('a dump that was cut, changed, reordered or put together anew is refused in one sentence', async () => {
  const middle = () => start + 11 * SEALED + 4711
  const cases: [string, () => Buffer, RegExp][] = [
    ['cut', () => bytes.subarray(0, middle()), /the encrypted data ends inside chunk 12, or that chunk was/],
    [
      'cut between chunks',
      () => bytes.subarray(0, start + 9 * SEALED),
      /ends after chunk 9, which is not its/,
    ],
    [
      'cut in its header',
      () => bytes.subarray(0, 150),
      /is damaged: the encrypted data ends inside its header/,
    ],
    ['one bit of a row', () => flipped(middle()), /is damaged: chunk 12 of the encrypted data was changed/],
    [
      'one bit of the nonce',
      () => flipped(start - 1),
      /is damaged: chunk 1 of the encrypted data was changed/,
    ],
    ['one bit of the header', () => flipped(start - 16 - 5), /is damaged: its header was changed/],
    [
      "one bit of a recipient's stanza",
      () => flipped(30),
      /is damaged: (no identity opens it|its header was)/,
    ],
    ['reordered', () => swapped(3, 4), /chunk 4 of the encrypted data was changed, or belongs elsewhere/],
    ['continued', () => Buffer.concat([bytes, bytes.subarray(start)]), /chunk \d+ of the encrypted data/],
    ['another program', () => Buffer.from('PGDMP'.repeat(50)), /it is an archive that is not encrypted/],
    ['armored', () => Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----\n'), /it is armored/],
  ]
  for (const [what, alter, reason] of cases) {
    const altered = alter()
    put(altered, fitting(altered))
    const harm = await witness(bench, 'live')
    const run = await restore({ 'age-identity': bob, retries: '0' })
    failed(run, reason)
    assert.equal(run.errors.length, 1, what)
    await harm.assertClean(run, { secrets })
  }
  // A manifest that was not altered with the dump is enough to refuse it.
  put(bytes.subarray(0, middle()), manifest)
  failed(await restore({ 'age-identity': bob }), /its manifest says [\d,]+; it was cut or replaced/)
  put(bytes, { ...manifest, encryption: undefined })
  failed(await restore({ 'age-identity': bob }), /has no valid encryption; it was altered/)
  for (const swap of ['true', 'false']) {
    put(flipped(middle()), manifest)
    failed(await restore({ 'age-identity': bob, swap }), /is damaged: chunk 12/)
  }
})

test('recipients that are none are refused before the source is read, and a secret key among them is masked', async () => {
  const cases: [string, RegExp][] = [
    [`${aliceKey}x`, /Input encrypt-to has "age1.{8}….{4}", which is not a whole recipient/],
    ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA', /Input encrypt-to has a line, which is not a recipient of age/],
    ['ops/none.txt', /Input encrypt-to has the line "ops\/none\.txt", .*it does not exist; did a step check/],
    [alice, /Input encrypt-to has a line, which is a secret key/],
    ['# nobody', /Input encrypt-to has comments and no recipient/],
  ]
  for (const [recipients, reason] of cases) {
    const harm = await witness(bench)
    const run = await bench.run('dump', 'folder', 'app', { 'encrypt-to': recipients })
    await harm.assertHarmless(run, reason, { secrets: [alice] })
  }
  const mixed = succeeded(
    await bench.run('dump', 'folder', 'app', {
      'encrypt-to': `${aliceKey}\n${strangerKey}`,
      config: 'mixed',
    }),
  )
  assert.match(mixed.warnings.join('\n'), /encrypt-to mixes post-quantum recipients/)
  for (const identity of [alice, stranger])
    succeeded(await restore({ 'dump-key': mixed.outputs['dump-key']!, 'age-identity': identity }))
})
