import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { before, test } from 'node:test'
import { catalogue, type Inputs, useDumpedSource } from '../../../lab/benches/lifecycle-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

const { bench, key } = await useDumpedSource()

before(() => bench.make('app', 'live'))

const restore = (more: Inputs = {}) =>
  bench.run('restore', 'app', { 'dump-key': key, overwrite: 'true', 'require-masked': 'true', ...more })

/** Runs a step that must be refused before it changes anything on the server. */
async function refused(step: ReturnType<typeof restore>, message: RegExp): Promise<void> {
  const earlier = await catalogue(bench)
  const run = failed(await step, message)
  assert.equal(run.errors.length, 1)
  assert.deepEqual(await catalogue(bench), earlier)
  assert.equal(await bench.state('app'), 'live')
}

test('a dump that was not masked is refused before the target is touched, in every way of restoring', async () => {
  const message = /require-masked: true refuses .*\.dump: its manifest has no record of masks/
  await refused(restore(), message)
  await refused(restore({ 'dry-run': 'true' }), message)
  await refused(restore({ swap: 'false' }), message)
  await refused(restore({ 'dump-key': 'latest', 'template-cache': '2', retries: '2' }), message)
})

test('a dump without a manifest is refused', async () => {
  const bare = key.replace('/source/', '/bare/')
  mkdirSync(join(bench.folder, dirname(bare)), { recursive: true })
  copyFileSync(join(bench.folder, key), join(bench.folder, bare))
  await refused(restore({ 'dump-key': bare }), /require-masked: true refuses .*: it has no manifest/)
})

test('restore points and copies without mask are refused, because nothing shows that they are masked', async () => {
  await refused(restore({ 'dump-key': ':pre' }), /require-masked: true refuses dump-key: :pre/)
  const copy = bench.run('copy', 'app', {
    'source-database-url': bench.postgres.url('source'),
    overwrite: 'true',
    'require-masked': 'true',
  })
  await refused(copy, /require-masked: true refuses this copy/)
})

test('a masked dump is restored, and never from a template of another dump', async () => {
  const cached = { 'template-cache': '5' }
  const templates = async () =>
    (await bench.postgres.databases()).filter((name) => name.startsWith('pgclone_'))
  succeeded(await restore({ ...cached, 'require-masked': 'false' }))
  const [unmasked] = await templates()
  const path = join(bench.folder, `${key}.json`)
  const manifest = JSON.parse(readFileSync(path, 'utf8'))
  const mask = { sha256: 'a'.repeat(64), keyId: 'b'.repeat(16), columns: { email: 1 } }
  writeFileSync(path, JSON.stringify({ ...manifest, mask }))
  const run = succeeded(await restore(cached))
  assert.match(run.log, /There is no template of this dump and recipe yet/)
  assert.equal((await templates()).filter((name) => name !== unmasked).length, 1)
  const inPlace = succeeded(await restore({ swap: 'false' }))
  assert.match(inPlace.summary, /\*\*Masked\*\* \| 1 column masked: 1 email; key `b{16}`/)
  const listed = succeeded(await bench.run('list', ''))
  assert.match(listed.log, /\(1 column masked: 1 email\)/)
  assert.match(listed.summary, /\| 1 email \|/)
  assert.deepEqual(JSON.parse(listed.outputs.dumps!).find((dump: { mask?: unknown }) => dump.mask).mask, mask)
})
