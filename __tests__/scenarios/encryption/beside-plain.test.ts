import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { type Bench, type Inputs, type Place, startBench } from '../../../lab/benches/action-bench.ts'
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

const step = (command: string, place: Place, database: string, more: Inputs = {}, options?: ActionOptions) =>
  bench.run('list', place, database, { command, ...more }, options)

const keysOf = (dumps: string) => (JSON.parse(dumps) as { key: string }[]).map(({ key }) => key)

test('list, latest, prune and max-shrink treat both kinds alike', async () => {
  const { folder, postgres } = bench
  const make = async (more: Inputs) => bench.dump('folder', 'app', more)
  const keys = [await make({}), await make(sealed), await make({}), await make(sealed)]
  const listed = succeeded(await step('list', 'folder', '', { 'dump-key': 'shop/app', 'max-age': '1h' }))
  assert.deepEqual(keysOf(listed.outputs.dumps!), keys.toReversed())
  const latest = await step('restore', 'folder', 'copy', { 'dump-key': 'latest', ...opened, 'max-age': '1h' })
  assert.equal(succeeded(latest).outputs['dump-key'], keys[3])
  succeeded(await step('restore', 'folder', 'copy', { 'dump-key': keys[2]!, ...opened }))

  await postgres.psql('app', 'delete from t where id > 10')
  for (const kind of [sealed, {}]) {
    const limits = { 'max-shrink': '50%', 'fail-on-shrink': 'true' }
    const shrunk = await step('dump', 'folder', 'app', { ...kind, ...limits })
    failed(shrunk, /much smaller than .*\.dump\.age: 10 rows instead of 1,000 rows/)
  }
  await postgres.psql('app', 'insert into t select generate_series(11, 1000)')

  for (const more of [{ 'dry-run': 'true' }, {}]) {
    const pruned = succeeded(await step('prune', 'folder', '', { 'keep-last': '2', ...more }))
    assert.deepEqual(JSON.parse(pruned.outputs.deleted!), [keys[1], keys[0]])
  }
  const left = succeeded(await step('list', 'folder', ''))
  assert.deepEqual(keysOf(left.outputs.dumps!), [keys[3], keys[2]])
  failed(await step('prune', 'folder', '', { 'dump-key': keys[3]!, 'keep-last': '1' }), /names a single dump/)
  await assertNothingLeft({ run: left, postgres, folder, secrets: [identity] })
})

test('list and prune see both kinds in a bucket', async () => {
  const keys = [await bench.dump('s3', 'app', sealed), await bench.dump('s3', 'app')]
  const pruned = succeeded(await step('prune', 's3', '', { 'keep-last': '1' }))
  assert.deepEqual(JSON.parse(pruned.outputs.deleted!), [keys[0]])
  const left = succeeded(await step('list', 's3', ''))
  assert.deepEqual(keysOf(left.outputs.dumps!), [keys[1]])
  await assertNothingLeft({ run: pruned, s3: bench.s3, secrets: [identity] })
})

test('an encrypted dump without its manifest, or a manifest without its dump, is named and not chosen', async () => {
  const dump = async () => bench.dump('folder', 'app', { ...sealed, config: 'orphans' })
  const [first, second, third] = [await dump(), await dump(), await dump()]
  rmSync(join(bench.folder, `${second}.json`))
  rmSync(join(bench.folder, third))
  const more = { config: 'orphans', ...opened }
  const restored = succeeded(await step('restore', 'folder', 'copy', { 'dump-key': 'latest', ...more }))
  assert.equal(restored.outputs['dump-key'], first)
  assert.match(restored.notices.join('\n'), new RegExp(`Skipped ${third}\\.json: its data is gone`))
  const byKey = succeeded(await step('restore', 'folder', 'copy', { 'dump-key': second, ...more }))
  assert.match(byKey.warnings.join('\n'), /has no manifest/)
  const listed = succeeded(await step('list', 'folder', '', { config: 'orphans' }))
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
  succeeded(await step('restore', 'folder', 'preview_1', { ...cached, ...opened }))
  const [template] = await templates()
  const copied = succeeded(await step('restore', 'folder', 'preview_2', { ...cached, ...opened }))
  assert.match(copied.visibleLog, new RegExp(`Copying the template "${template}"`))
  assert.deepEqual(await templates(), [template])
  failed(await step('restore', 'folder', 'preview_3', cached), /age-identity is missing/)
  const reversible = { 'dump-key': key, ...opened, reversible: 'true' }
  succeeded(await step('restore', 'folder', 'preview_2', reversible))
  succeeded(await step('restore', 'folder', 'preview_2', { 'dump-key': ':pre', ...opened }))
})

test('real data in the workspace of a public repository is a warning that names both inputs', async () => {
  const cwd = tempFolder('workspace').path
  const warned = async (event: string, more: Inputs) => {
    writeFileSync(join(cwd, 'event.json'), event)
    const env = { GITHUB_EVENT_PATH: join(cwd, 'event.json') }
    const run = succeeded(await step('dump', 'folder', 'app', more, { cwd, env }))
    return run.warnings.filter((text) => /public repository/.test(text))
  }
  const inside = { 'storage-location': '.pgclone/' }
  const open = JSON.stringify({ repository: { private: false, visibility: 'public' } })
  mkdirSync(join(cwd, '.pgclone'))
  const [warning, ...more] = await warned(open, inside)
  assert.match(warning!, /neither encrypted nor masked.* Set encrypt-to or mask$/)
  assert.deepEqual(more, [])
  assert.equal((await warned(open, { 'storage-location': join(cwd, 'dumps') })).length, 1)
  const quiet: [string, Inputs][] = [
    [open, { ...inside, ...sealed }],
    [open, { ...inside, 'schema-only': 'true' }],
    [open, {}],
    [JSON.stringify({ repository: { private: true, visibility: 'internal' } }), inside],
    ['no JSON', inside],
    ['null', inside],
  ]
  for (const [event, inputs] of quiet) assert.deepEqual(await warned(event, inputs), [], event)
})
