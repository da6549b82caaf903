import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption'
import { type Bench, type Inputs, type Place, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { findClients } from '../../../lab/postgres/clients.ts'
import { compareDatabases } from '../../../lab/postgres/compare.ts'
import { loadSample } from '../../../lab/postgres/sample.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

const execute = promisify(execFile)
const bin = findClients()[0]?.bin ?? ''
const hasAge = spawnSync('age', ['--version']).status === 0

const [alice, bob, quantum] = await Promise.all([
  generateX25519Identity(),
  generateX25519Identity(),
  generateHybridIdentity(),
])
const [aliceKey, bobKey, quantumKey] = (await Promise.all(
  [alice, bob, quantum].map(identityToRecipient),
)) as [string, string, string]
const secrets = [alice, bob, quantum]
/** As age-keygen writes it. */
const keyFile = (identity: string, recipient: string) =>
  `# created: 2026-01-02T03:04:05Z\n# public key: ${recipient}\n${identity}\n`

let bench: Bench
let workspace: string

before(async () => {
  bench = await startBench()
  await loadSample(bench.postgres, 'shop', { scale: 0.02 })
  workspace = tempFolder('workspace').path
  mkdirSync(join(workspace, 'ops'))
  writeFileSync(join(workspace, 'ops/recipients.txt'), `# the team\n${aliceKey} # Alice\n\n${bobKey}\n`)
  writeFileSync(join(workspace, 'alice.txt'), keyFile(alice, aliceKey))
})
after(() => bench?.[Symbol.asyncDispose]())

function assertSealed(stored: Buffer): void {
  assert.ok(stored.subarray(0, 22).equals(Buffer.from('age-encryption.org/v1\n')))
  for (const plain of ['PGDMP', 'CREATE TABLE', 'SET client_encoding']) assert.ok(!stored.includes(plain))
}

const same = async (copy: string) =>
  assert.deepEqual(await compareDatabases(bench.postgres, 'shop', bench.postgres, copy), [])

const step = (command: string, place: Place, database: string, more: Inputs) =>
  bench.run('list', place, database, { command, ...more }, { cwd: workspace, env: { RUNNER_DEBUG: '1' } })

const clientEnvironment = (database: string) => ({ ...process.env, ...bench.postgres.env(database) })

test('a dump for two recipients is restored and verified by either', async () => {
  const { postgres, folder } = bench
  const dumped = succeeded(await step('dump', 'folder', 'shop', { 'encrypt-to': 'ops/recipients.txt' }))
  const key = dumped.outputs['dump-key']!
  assert.match(key, /^shop\/shop\/none\/\d{4}(-\d\d){5}-\d{6}\.dump\.age$/)
  const stored = readFileSync(join(folder, key))
  const readManifest = () => JSON.parse(readFileSync(join(folder, `${key}.json`), 'utf8'))
  const manifest = readManifest()
  assert.deepEqual(manifest.encryption, { format: 'age', recipients: [aliceKey, bobKey] })
  const sha256 = createHash('sha256').update(stored).digest('hex')
  assert.deepEqual([manifest.key, manifest.size, manifest.sha256], [key, stored.length, sha256])
  assert.deepEqual(
    [dumped.outputs['dump-size'], dumped.outputs['dump-sha256']],
    [String(manifest.size), manifest.sha256],
  )
  assertSealed(stored)
  assert.match(dumped.summary, /age, for 2 recipients/)

  const listed = succeeded(await step('list', 'folder', '', {}))
  assert.deepEqual(JSON.parse(listed.outputs.dumps!), [{ ...manifest, committed: true }])
  const hooks = { 'pre-swap-hooks': 'env\ncat /proc/self/environ' }
  const restored = succeeded(
    await step('restore', 'folder', 'copy', {
      ...{ 'dump-key': 'latest', 'age-identity': keyFile(bob, bobKey) },
      ...hooks,
    }),
  )
  await same('copy')
  assert.equal(restored.outputs['dump-sha256'], manifest.sha256)
  const verified = succeeded(
    await step('verify', 'folder', 'shop', { 'dump-key': key, 'age-identity': `${quantum}\n${alice}` }),
  )
  assert.equal(verified.outputs.verified, 'true')
  assert.ok(readManifest().verified)
  const databases = ['copy', 'postgres', 'shop']
  for (const run of [dumped, listed, restored, verified])
    await assertNothingLeft({ run, postgres, folder, databases, secrets })
  assert.ok([alice, quantum].every((secret) => verified.masks.includes(secret)))
})

test('in a bucket too, where latest sees encrypted dumps and others', async () => {
  const { postgres, s3, folder } = bench
  // A dump is the same in both places.
  const plain = await bench.dump('folder', 'shop')
  for (const name of [plain, `${plain}.json`])
    await s3.write(`nightly/${name}`, readFileSync(join(folder, name)))
  const dumped = succeeded(await step('dump', 's3', 'shop', { 'encrypt-to': `${aliceKey}\n${bobKey}` }))
  const key = dumped.outputs['dump-key']!
  const stored = await s3.read(`nightly/${key}`)
  assertSealed(stored)
  const { encryption, sha256 } = JSON.parse(String(await s3.read(`nightly/${key}.json`)))
  assert.deepEqual(encryption, { format: 'age', recipients: [aliceKey, bobKey] })
  assert.equal(sha256, createHash('sha256').update(stored).digest('hex'))
  const latest = { 'dump-key': 'latest', 'age-identity': bob }
  const restored = succeeded(await step('restore', 's3', 'copy', latest))
  await same('copy')
  assert.equal(restored.outputs['dump-key'], key)
  for (const run of [dumped, restored]) await assertNothingLeft({ run, postgres, s3, secrets })
})

test('a post-quantum recipient, and an empty database', async () => {
  await bench.postgres.createDatabase('empty')
  const cases: [string, Inputs][] = [
    ['empty', { compression: 'none' }],
    ['shop', { compression: 'gzip', jobs: '1' }],
  ]
  for (const [database, more] of cases) {
    const key = await bench.dump('folder', database, { ...more, 'encrypt-to': quantumKey })
    const restore = { 'dump-key': key, 'age-identity': quantum, ...more }
    succeeded(await step('restore', 'folder', 'copy', restore))
    if (database === 'shop') await same('copy')
  }
})

test('in place, in a dry run, and by inputs of a config file', async () => {
  const set = `night:\n  encrypt-to: [${aliceKey}, ${bobKey}]\n  age-identity: |\n    # ops\n    ${bob}\n`
  writeFileSync(join(workspace, 'sets.yml'), set)
  const more = { 'config-file': 'sets.yml', config: 'night' }
  const dumped = succeeded(await step('dump', 'folder', 'shop', more))
  assert.match(dumped.outputs['dump-key']!, /\/night\/.*\.dump\.age$/)
  assert.deepEqual(dumped.warnings, [
    'age-identity has no effect with command: dump; do not give this job the secret key',
  ])
  const restore = { 'dump-key': dumped.outputs['dump-key']!, ...more, overwrite: 'true' }
  await bench.postgres.createDatabase('in_place')
  const dry = succeeded(await step('restore', 'folder', 'in_place', { ...restore, 'dry-run': 'true' }))
  assert.match(dry.visibleLog, /Dry run: .*\.dump\.age would become "in_place"/)
  const inPlace = succeeded(await step('restore', 'folder', 'in_place', { ...restore, swap: 'false' }))
  await same('in_place')
  for (const run of [dumped, dry, inPlace]) await assertNothingLeft({ run, secrets })
})

test('the program age opens a dump of the action, and the action opens a dump by pg_dump and age', {
  skip: hasAge ? false : 'the program age is not installed (apt-get install age)',
}, async () => {
  const key = await bench.dump('folder', 'shop', {
    'encrypt-to': `${aliceKey}\n${bobKey}`,
    compression: 'gzip',
  })
  const path = join(bench.folder, key)
  await bench.postgres.createDatabase('by_age', 'template template0')
  const pipe = async (script: string, database: string, more: Record<string, string>) =>
    execute('bash', ['-c', `set -euo pipefail; ${script}`], {
      env: { ...clientEnvironment(database), BIN: bin, ...more },
    })
  const identity = join(workspace, 'alice.txt')
  await pipe('age -d -i "$KEY" "$DUMP" | "$BIN/pg_restore" --exit-on-error --dbname=', 'by_age', {
    ...{ KEY: identity, DUMP: path },
  })
  await same('by_age')

  const theirs = 'by/hand/none/2026-01-02-03-04-05-000000.dump.age'
  const file = join(bench.folder, theirs)
  mkdirSync(dirname(file), { recursive: true })
  await pipe('"$BIN/pg_dump" -Fc | age -r "$ONE" -r "$TWO" > "$FILE"', 'shop', {
    ...{ ONE: aliceKey, TWO: bobKey, FILE: file },
  })
  const restored = succeeded(
    await step('restore', 'folder', 'from_age', { 'dump-key': theirs, 'age-identity': bob }),
  )
  await same('from_age')
  assert.match(restored.warnings.join('\n'), /has no manifest/)
})
