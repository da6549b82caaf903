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
  await makeData(postgres, 'app', 1)
  await postgres.createDatabase('live')
  await postgres.psql('live', 'create table only_here (id int)')
  key = await bench.dump('folder', 'app', { compression: 'none', 'encrypt-to': `${aliceKey}\n${bobKey}` })
  bytes = readFileSync(join(bench.folder, key))
  manifest = JSON.parse(readFileSync(join(bench.folder, `${key}.json`), 'utf8'))
  start = bytes.indexOf('\n', bytes.indexOf('\n--- ') + 1) + 1 + 16
  assert.ok(bytes.length > start + 6 * SEALED)
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

const restore = (more: Inputs) => bench.run('restore', 'folder', 'live', { 'dump-key': key, ...more })

test('without the right identity, a restore and a verify say whose key it takes, and touch nothing', async () => {
  const short = (recipient: string) => `${recipient.slice(0, 12)}…${recipient.slice(-4)}`
  const recipients = `to ${short(aliceKey)}, ${short(bobKey)}`
  const cases: [Inputs, string][] = [
    [{}, `is encrypted ${recipients}, and age-identity is missing; set it to the secret key`],
    [{ 'dry-run': 'true' }, 'age-identity is missing'],
    [{ swap: 'false' }, 'age-identity is missing'],
    [{ command: 'verify' }, 'age-identity is missing'],
    [
      { 'age-identity': stranger },
      `age-identity belongs to ${short(strangerKey)} and does not open ${key}, which is encrypted ${recipients}`,
    ],
    [
      { 'age-identity': `${alice.slice(0, -3)}AAA` },
      'Input age-identity has a line that is not a whole identity',
    ],
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

/** The unit tests of decryption alter a file in every way. */
test('a dump that was cut, changed or replaced is refused in one sentence', async () => {
  const middle = start + 3 * SEALED + 4711
  const cut = bytes.subarray(0, middle)
  const cases: [Uint8Array, RegExp][] = [
    [cut, /the encrypted data ends inside chunk 4, or that chunk was/],
    [flipped(middle), /is damaged: chunk 4 of the encrypted data was changed/],
    [flipped(start - 16 - 5), /is damaged: its header was changed/],
    [Buffer.from('PGDMP'.repeat(50)), /it is an archive that is not encrypted/],
  ]
  for (const [altered, reason] of cases) {
    put(altered, fitting(altered))
    const harm = await witness(bench, 'live')
    const run = await restore({ 'age-identity': bob })
    failed(run, reason)
    assert.equal(run.errors.length, 1, String(reason))
    await harm.assertClean(run, { secrets })
  }
  // A manifest that was not altered with the dump is enough to refuse it.
  put(cut, manifest)
  failed(await restore({ 'age-identity': bob }), /its manifest says [\d,]+; it was cut or replaced/)
  put(bytes, { ...manifest, encryption: undefined })
  failed(await restore({ 'age-identity': bob }), /has no valid encryption; it was altered/)
  put(flipped(middle), manifest)
  failed(await restore({ 'age-identity': bob, swap: 'false' }), /is damaged: chunk 4/)
})

test('recipients that are none are refused before the source is read, and a secret key among them is masked', async () => {
  const cases: [string, RegExp][] = [
    ['ops/none.txt', /Input encrypt-to has the line "ops\/none\.txt", .*it does not exist; did a step check/],
    [alice, /Input encrypt-to has a line, which is a secret key/],
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
  const opened = { 'dump-key': mixed.outputs['dump-key']!, 'age-identity': stranger }
  succeeded(await restore(opened))
})
