import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { runAction, runPost } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { keyAt, storedDump, writeFiles } from '../../../lab/sample-dumps.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { DEFAULTS } from '../../../src/inputs/defaults.ts'
import { outcome } from './prune-nights.ts'

let bench: Bench
before(async () => {
  bench = await startBench()
})
after(() => bench?.[Symbol.asyncDispose]())

/** Makes `orders` hold so many rows, and `users` fifty; creates the database when it is missing. */
async function setOrders(database: string, rows: number): Promise<void> {
  if (!(await bench.postgres.databases()).includes(database)) await bench.postgres.createDatabase(database)
  await bench.postgres.query(
    database,
    `DROP TABLE IF EXISTS orders, users;
     CREATE TABLE orders AS SELECT n, repeat(md5(n::text), 4) AS text FROM generate_series(1, ${rows}) AS n;
     CREATE TABLE users AS SELECT n FROM generate_series(1, 50) AS n`,
  )
}

const dump = (database: string, inputs: Inputs = {}) => bench.run('dump', 'folder', database, inputs)

const filesOf = (database: string) => readdirSync(join(bench.folder, 'shop', database, 'none')).sort()

test('a dump that shrank is a warning that names the tables; with fail-on-shrink it fails, and nothing is stored', async () => {
  await setOrders('shrinks', 1000)
  assert.deepEqual(succeeded(await dump('shrinks')).warnings, [])
  await setOrders('shrinks', 700)
  succeeded(await dump('shrinks', { 'fail-on-shrink': 'true' }))
  const before = filesOf('shrinks')
  await setOrders('shrinks', 500)
  const inputs = { 'fail-on-shrink': 'true', 'max-shrink': '10%', 'keep-last': '1' }
  const refused = failed(
    await dump('shrinks', inputs),
    /much smaller than shop\/shrinks\/none\/.*; it was not committed/,
  )
  assert.deepEqual(filesOf('shrinks'), before)
  await assertNothingLeft({ run: refused, folder: bench.folder })
  await setOrders('shrinks', 10)
  const run = succeeded(await dump('shrinks'))
  assert.equal(run.warnings.length, 1)
  assert.match(
    run.warnings[0]!,
    /60 rows instead of 750 rows \(-92 %\) and .* most of it in public\.orders \(700 → 10\) \(max-shrink is 50%\)$/,
  )
  assert.equal(filesOf('shrinks').length, 6)
})

test('dumps with other filters are not compared, and it says so', async () => {
  const inputs = { 'fail-on-shrink': 'true', 'exclude-table-data': 'orders' }
  const run = succeeded(await dump('shrinks', inputs))
  assert.match(run.notices.join('\n'), /not compared with shop\/shrinks\/none\/.* made with other filters/)
})

test('keep rules prune the group of the dump after its commit, and no other', async () => {
  await setOrders('keeps', 10)
  const others = [
    keyAt('2020-01-01T00:00:00', 'shop/keeps/weekly'),
    keyAt('2020-01-01T00:00:00', 'shop/kept/none'),
  ]
  for (const key of others) writeFiles(bench.folder, storedDump(key))
  const first = keyAt('2020-01-01T00:00:00', 'shop/keeps/none')
  writeFiles(bench.folder, storedDump(first))
  const second = succeeded(await dump('keeps', { 'keep-last': '2' }))
  assert.deepEqual(outcome(second), { deleted: [], kept: [second.outputs['dump-key'], first] })
  const third = succeeded(await dump('keeps', { 'keep-last': '2' }))
  const kept = [third, second].map((run) => run.outputs['dump-key'])
  assert.deepEqual(outcome(third), { deleted: [first], kept })
  assert.match(third.summary, /Dumped `keeps`[\s\S]*Deleted 1 of 3 dumps/)
  assert.equal(filesOf('keeps').length, 4)
  for (const key of others) assert.ok(readdirSync(join(bench.folder, key, '..')).length === 2)
})

test('a prune that fails after a good dump is a warning, and the outputs of the dump are there', async () => {
  await setOrders('stuck', 10)
  const s3 = { 'storage-location': `s3://${bench.s3.bucket}/stuck/` }
  const earlier = storedDump(keyAt('2020-01-01T00:00:00', 'shop/stuck/none'))
  for (const [key, text] of Object.entries(earlier)) await bench.s3.write(`stuck/${key}`, text)
  const action = { type: 'error', status: 403, code: 'AccessDenied' } as const
  bench.s3.fault({ operation: 'DeleteObjects', nth: 2, times: 99, action })
  const run = succeeded(await bench.run('dump', 's3', 'stuck', { ...s3, 'keep-last': '1' }))
  bench.s3.heal()
  assert.match(
    run.warnings.join('\n'),
    /The dump is committed, and older ones were not pruned: The manifests of 1 dump are deleted, but their data may stay, uncommitted: .*AccessDenied/,
  )
  assert.ok(run.outputs['dump-key'])
  assert.equal(run.outputs.deleted, undefined)
  assert.equal([...bench.s3.objects().keys()].filter((key) => key.startsWith('stuck/')).length, 3)
  for (const key of Object.keys(earlier)) await bench.s3.remove(`stuck/${key}`)
})

test('#35 a dump that fails prunes nothing', async () => {
  await setOrders('broken', 10)
  for (const year of [2020, 2021])
    writeFiles(bench.folder, storedDump(keyAt(`${year}-01-01T00:00:00`, 'shop/broken/none')))
  const harm = await witness(bench)
  const run = await dump('broken', { 'keep-last': '1', 'pre-dump-hooks': 'exit 3' })
  await harm.assertHarmless(run, /pre-dump-hooks/)
})

test('max-age refuses what is too old, says its age, and lets pass what is not', async () => {
  const hours = (count: number) => new Date(Date.now() - count * 36e5).toISOString()
  const keys = [
    keyAt(hours(30), 'aged/app/none'),
    keyAt(hours(50), 'aged/app/none'),
    keyAt(hours(3), 'aged/app/fresh'),
  ]
  for (const key of keys) writeFiles(bench.folder, storedDump(key))
  const aged = { 'dump-key': 'aged/app/none' }
  const list = (inputs: Inputs) => bench.run('list', 'folder', '', inputs)
  const tooOld = /The newest matching dump, aged\/app\/none\/.*, is 30 h 0 min old, and max-age is 26 h 0 min/
  failed(await list({ ...aged, 'max-age': '26h' }), tooOld)
  succeeded(await list({ ...aged, 'max-age': '31h' }))
  failed(await list({ instance: 'nobody', 'max-age': '26h' }), /no committed dump .*max-age is 26 h/)
  failed(await bench.run('restore', 'folder', 'never', { ...aged, 'max-age': '26h' }), tooOld)
  failed(
    await bench.run('restore', 'folder', 'never', { 'dump-key': keys[1]!, 'max-age': '31h' }),
    /is 50 h 0 min old/,
  )
  failed(
    await runAction({
      ...bench.inputs('list', 'folder', 'postgres', aged),
      command: 'verify',
      'max-age': '26h',
    }),
    tooOld,
  )
  assert.ok(!(await bench.postgres.databases()).includes('never'))
  writeFiles(bench.folder, storedDump(keyAt('2999-01-01T00:00:00', 'aged/app/future')))
  failed(await list({ 'dump-key': 'aged/app/future', 'max-age': '1h' }), /is from the future/)
})

test('a step takes its inputs from the set that config names', async () => {
  await setOrders('named', 10)
  await using workspace = tempFolder('workspace')
  const url = bench.postgres.url('named')
  const set = `nightly:\n  database-url: ${JSON.stringify(url)}\n  storage-location: ${bench.folder}\n  exclude-table-data:\n    - users\n  keep-last: 1\n`
  writeFiles(workspace.path, { [DEFAULTS['config-file']]: set })
  const step = { command: 'dump', 'install-tools': 'never', config: 'nightly' }
  const run = succeeded(await runAction(step, { cwd: workspace.path }))
  assert.match(run.outputs['dump-key']!, /^shop\/named\/nightly\//)
  assert.equal(run.outputs['row-count'], '10')
  assert.deepEqual(outcome(run), { deleted: [], kept: [run.outputs['dump-key']] })
  assert.match(
    run.log,
    /From "nightly" in \.github\/pgclone\.yml: database-url, storage-location, exclude-table-data, keep-last/,
  )
  assert.ok(run.masks.some((mask) => mask.includes(bench.postgres.canary)))
  assert.ok(!run.visibleLog.includes(bench.postgres.canary))
  writeFiles(workspace.path, { [DEFAULTS['config-file']]: 'of-another-branch:\n  jobs: 1\n' })
  assert.equal(succeeded(await runPost(run)).visibleLog, '')
  writeFiles(workspace.path, { [DEFAULTS['config-file']]: set })
  const unknown = await runAction({ ...step, config: 'nigtly' }, { cwd: workspace.path })
  failed(unknown, /Input config "nigtly" is not a set of .* \(did you mean "nightly"\?\)/)
})
