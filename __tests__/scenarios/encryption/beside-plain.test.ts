import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import type { ActionOptions } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

const identity = await generateX25519Identity()
const recipient = await identityToRecipient(identity)
const sealed = { 'encrypt-to': recipient }
const opened = { 'age-identity': identity }

let bench: Bench
before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql('app', 'create table t as select generate_series(1, 1000) as id')
})
after(() => bench?.[Symbol.asyncDispose]())

const step = (command: string, database: string, more: Inputs = {}, options?: ActionOptions) =>
  bench.run('list', 'folder', database, { command, ...more }, options)

const keysOf = (dumps: string) => (JSON.parse(dumps) as { key: string }[]).map(({ key }) => key)

test('list, latest, prune and max-shrink treat both kinds alike', async () => {
  const { folder, postgres } = bench
  const make = async (more: Inputs) => bench.dump('folder', 'app', more)
  const keys = [await make(sealed), await make({}), await make(sealed)]
  const listed = succeeded(await step('list', '', { 'dump-key': 'shop/app', 'max-age': '1h' }))
  assert.deepEqual(keysOf(listed.outputs.dumps!), keys.toReversed())
  const latest = await step('restore', 'copy', { 'dump-key': 'latest', ...opened, 'max-age': '1h' })
  assert.equal(succeeded(latest).outputs['dump-key'], keys[2])
  succeeded(await step('restore', 'copy', { 'dump-key': keys[1]!, ...opened }))

  await postgres.psql('app', 'delete from t where id > 10')
  const shrunk = await step('dump', 'app', { 'max-shrink': '50%', 'fail-on-shrink': 'true' })
  failed(shrunk, /much smaller than .*\.dump\.age: 10 rows instead of 1,000 rows/)
  await postgres.psql('app', 'insert into t select generate_series(11, 1000)')

  const pruned = succeeded(await step('prune', '', { 'keep-last': '1' }))
  assert.deepEqual(JSON.parse(pruned.outputs.deleted!), [keys[1], keys[0]])
  const exists = (key: string) => [key, `${key}.json`].map((name) => existsSync(join(folder, name)))
  assert.deepEqual(keys.flatMap(exists), [false, false, false, false, true, true])
  await assertNothingLeft({ run: pruned, postgres, folder, secrets: [identity] })
})

test('an encrypted dump without its manifest, or a manifest without its dump, is named and not chosen', async () => {
  const dump = async () => bench.dump('folder', 'app', { ...sealed, config: 'orphans' })
  const [first, third] = [await dump(), await dump()]
  const second = first.replace(/\d{6}(?=\.dump)/, '999999')
  copyFileSync(join(bench.folder, first), join(bench.folder, second))
  rmSync(join(bench.folder, third))
  const more = { config: 'orphans', ...opened }
  const restored = succeeded(await step('restore', 'copy', { 'dump-key': 'latest', ...more }))
  assert.equal(restored.outputs['dump-key'], first)
  assert.match(restored.notices.join('\n'), new RegExp(`Skipped ${third}\\.json: its data is gone`))
  const byKey = succeeded(await step('restore', 'copy', { 'dump-key': second, ...more }))
  assert.match(byKey.warnings.join('\n'), /has no manifest/)
  const listed = succeeded(await step('list', '', { config: 'orphans' }))
  const dumps = JSON.parse(listed.outputs.dumps!) as { key: string; committed: boolean }[]
  assert.deepEqual(
    dumps.map(({ key, committed }) => [key, committed]),
    [
      [second, false],
      [first, true],
    ],
  )
})

test('a template of an encrypted dump is made once, and is not a way around the identity', async () => {
  const { postgres } = bench
  const key = await bench.dump('folder', 'app', sealed)
  const cached = { 'dump-key': key, 'template-cache': '1' }
  const templates = async () => (await postgres.databases()).filter((name) => /^pgclone_template_/.test(name))
  succeeded(await step('restore', 'preview_1', { ...cached, ...opened }))
  const [template] = await templates()
  const again = { ...cached, ...opened, reversible: 'true', overwrite: 'true' }
  const copied = succeeded(await step('restore', 'preview_1', again))
  assert.match(copied.visibleLog, new RegExp(`Copying the template "${template}"`))
  assert.deepEqual(await templates(), [template])
  failed(await step('restore', 'preview_2', cached), /age-identity is missing/)
  succeeded(await step('restore', 'preview_1', { 'dump-key': ':pre', ...opened }))
})

test('real data in the workspace of a public repository is a warning that names both inputs', async () => {
  const cwd = tempFolder('workspace').path
  mkdirSync(join(cwd, '.pgclone'))
  const env = { GITHUB_EVENT_PATH: join(cwd, 'event.json') }
  writeFileSync(env.GITHUB_EVENT_PATH, JSON.stringify({ repository: { private: false } }))
  const run = succeeded(await step('dump', 'app', { 'storage-location': '.pgclone/' }, { cwd, env }))
  const [warning, ...more] = run.warnings
  assert.match(warning!, /public repository.*neither encrypted nor masked.* Set encrypt-to or mask$/)
  assert.deepEqual(more, [])
})
