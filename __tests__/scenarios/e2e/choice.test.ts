import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { parseDumpKey } from '../../../src/storage/keys.ts'

let bench: Bench
let original: string

const keys = [
  'prod/app/none/2026-01-01-00-00-00-000000.dump',
  'prod/app/masked/2026-01-02-00-00-00-000000.dump',
  'prod/app/none/2026-01-03-00-00-00-000000.dump',
  'prod-eu/app/none/2026-01-05-00-00-00-000000.dump',
  'prod/billing/none/2026-01-04-00-00-00-000001.dump',
] as const
const uncommitted = 'prod/app/none/2026-02-01-00-00-00-000000.dump'

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql('app', 'create table state as select 1 as id')
  original = await bench.dump('folder', 'app', { instance: 'first' })
  for (const key of keys) copy(key)
  copy(uncommitted)
  rmSync(path(`${uncommitted}.json`))
  // What is none of ours, and must disturb nobody.
  for (const name of ['README.md', 'prod/app/none/latest.dump', 'prod/app/2026-01-09-00-00-00-000000.dump'])
    writeFileSync(path(name), 'x')
})
after(() => bench?.[Symbol.asyncDispose]())

const path = (key: string) => join(bench.folder, key)

/** Stores the dump under another key, as if it had been made then. */
function copy(key: string): void {
  mkdirSync(dirname(path(key)), { recursive: true })
  cpSync(path(original), path(key))
  writeFileSync(path(`${key}.json`), manifestOf(key))
}

function manifestOf(key: string): string {
  const manifest = JSON.parse(readFileSync(path(`${original}.json`), 'utf8'))
  return JSON.stringify({ ...manifest, ...parseDumpKey(key) })
}

/** That the inputs arrive; `dump-catalog.test.ts` has the rules. */
const choices: [string, Record<string, string>, string][] = [
  ['the leading parts of a key', { 'dump-key': 'prod' }, keys[4]],
  ['instance and config', { 'dump-key': 'latest', instance: 'prod', config: 'masked' }, keys[1]],
]

for (const [what, inputs, expected] of choices) {
  test(`restore takes the newest that fits: ${what}`, async () => {
    const run = succeeded(await bench.run('restore', 'folder', 'copy', inputs))
    assert.equal(run.outputs['dump-key'], expected)
  })
}

test('latest is the newest committed dump of all', async () => {
  const run = succeeded(await bench.run('restore', 'folder', 'copy', { 'dump-key': 'latest' }))
  assert.equal(run.outputs['dump-key'], original)
  assert.ok(run.warnings.some((warning) => /several databases.*prod\/app\/none/.test(warning)))
})

const refusals: [string, Record<string, string>, RegExp][] = [
  ['half a part', { 'dump-key': 'pro' }, /no committed dump below .*pro/],
  ['a way out', { 'dump-key': '../prod/app' }, /dump-key .*"\.\."/],
]

for (const [what, inputs, says] of refusals) {
  test(`restore refuses: ${what}`, async () => {
    await bench.postgres.psql('postgres', 'drop database if exists untouched')
    failed(await bench.run('restore', 'folder', 'untouched', inputs), says)
    assert.ok(!(await bench.postgres.databases()).includes('untouched'))
  })
}

test('list shows all dumps, newest first, and which are committed', async () => {
  const run = succeeded(await bench.run('list', 'folder', ''))
  const dumps = JSON.parse(run.outputs.dumps!) as { key: string; committed: boolean; createdAt: string }[]
  assert.equal(run.outputs['dump-count'], '7')
  assert.deepEqual(
    dumps.map(({ key }) => key),
    [original, uncommitted, keys[3], keys[4], keys[2], keys[1], keys[0]],
  )
  assert.deepEqual(
    dumps.filter(({ committed }) => !committed).map(({ key }) => key),
    [uncommitted],
  )
  assert.match(run.log, /2026-02-01-00-00-00-000000\.dump .*not committed/)
  assert.match(run.summary, /7 dumps/)
})

const narrowings: [Record<string, string>, string[]][] = [
  [{ 'dump-key': 'prod/app' }, [uncommitted, keys[2], keys[1], keys[0]]],
  [{ instance: 'prod', 'dump-key': 'latest' }, [uncommitted, keys[4], keys[2], keys[1], keys[0]]],
]

test('list is narrowed by prefix, instance and config', async () => {
  for (const [inputs, expected] of narrowings) {
    const run = succeeded(await bench.run('list', 'folder', '', inputs))
    assert.deepEqual(
      (JSON.parse(run.outputs.dumps!) as { key: string }[]).map(({ key }) => key),
      expected,
    )
  }
})

test('a storage that cannot answer is an error and no empty list', async () => {
  const { s3 } = bench
  const config = { 's3-config': `${s3.config}\nAWS_MAX_ATTEMPTS=1` }
  const absent = await bench.run('list', 's3', '', { ...config, 's3-endpoint-url': 'http://127.0.0.1:9' })
  failed(absent, /Cannot reach the store at 127.0.0.1:9: no server listens/)
  writeFileSync(path('a-file'), '')
  failed(await bench.run('list', 'folder', '', { 'storage-location': path('a-file') }), /a-file/)
})
