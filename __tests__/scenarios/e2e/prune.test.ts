import assert from 'node:assert/strict'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Inputs } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { keyAt, storedDump, writeFiles } from '../../../lab/sample-dumps.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { both, DAYS, NIGHTS, outcome, prune } from './prune-nights.ts'

const inFolder = (folder: string, inputs: Inputs) => prune({ 'storage-location': folder, ...inputs })

function fill(folder: string, ...keys: string[]): void {
  for (const key of keys) writeFiles(folder, storedDump(key))
}

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort()
}

async function makeFolder(t: TestContext): Promise<string> {
  const folder = tempFolder('dumps')
  t.after(() => folder[Symbol.asyncDispose]())
  return folder.path
}

test('a folder keeps what a rule keeps, and says why, as a dry run said that it would', async (t) => {
  const folder = await makeFolder(t)
  fill(folder, ...NIGHTS)
  const before = filesIn(folder)
  const rules = { 'keep-last': '2', 'keep-within': '2d' }
  const dry = succeeded(await inFolder(folder, { ...rules, 'dry-run': 'true' }))
  assert.deepEqual(filesIn(folder), before)
  for (const key of NIGHTS.slice(2)) assert.match(dry.log, new RegExp(`Would delete ${key}`))
  assert.match(dry.summary, /Dry run: would delete 4 of 6/)
  const run = succeeded(await inFolder(folder, rules))
  assert.deepEqual(outcome(run), outcome(dry))
  assert.deepEqual(outcome(run), { deleted: NIGHTS.slice(2), kept: NIGHTS.slice(0, 2) })
  assert.ok(Number(run.outputs['duration-ms']) > 0)
  assert.deepEqual(filesIn(folder), both(NIGHTS.slice(0, 2)).sort())
  assert.match(run.summary, /Deleted 4 of 6 dumps/)
  assert.ok(run.summary.includes(`| \`${NIGHTS[0]}\` | `) && run.summary.includes('`within 2d`, `last`'))
  assert.match(run.summary, /\*\*deleted\*\* \| no rule keeps it/)
  await assertNothingLeft({ run, folder })
})

test('without a rule, with a full key, or with a wrong rule, nothing is deleted', async (t) => {
  const folder = await makeFolder(t)
  fill(folder, ...NIGHTS)
  const before = filesIn(folder)
  failed(await inFolder(folder, {}), /Input keep-last \(or keep-within, .*\) is missing/)
  failed(await inFolder(folder, { 'keep-last': '0', 'keep-within': '0d' }), /is missing/)
  failed(
    await inFolder(folder, { 'keep-last': '1', 'dump-key': NIGHTS[3]! }),
    /Input dump-key names a single dump/,
  )
  const wrong = failed(
    await inFolder(folder, { 'keep-daily': '-1', 'keep-within': '2w' }),
    /keep-daily must not be negative/,
  )
  assert.match(wrong.errors.join(), /keep-within must be years, months, days and hours/)
  assert.deepEqual(filesIn(folder), before)
})

test('instance, config and a prefix of the key narrow it, and groups are pruned apart', async (t) => {
  const folder = await makeFolder(t)
  const groups = ['shop/app/none', 'shop/app/masked', 'shop-eu/app/none', 'shop/app2/none']
  const keys = groups.flatMap((group) => DAYS.slice(0, 2).map((time) => keyAt(time, group)))
  fill(folder, ...keys)
  const old = (group: string) => keyAt(DAYS[0]!, group)
  const rule = { 'keep-last': '1', 'dry-run': 'true' }
  const deleted = async (inputs: Inputs) =>
    outcome(succeeded(await inFolder(folder, { ...rule, ...inputs }))).deleted.sort()
  assert.deepEqual(await deleted({ 'dump-key': 'shop/app' }), [old('shop/app/masked'), old('shop/app/none')])
  assert.deepEqual(await deleted({ config: 'masked' }), [old('shop/app/masked')])
  assert.deepEqual(await deleted({ instance: 'shop-eu' }), [old('shop-eu/app/none')])
  assert.deepEqual(await deleted({}), groups.map(old).sort())
})

test('#36 what is uncommitted, foreign or unsound stays, and does not count', async (t) => {
  const folder = await makeFolder(t)
  fill(folder, ...NIGHTS)
  const [cut, garbled, empty] = NIGHTS as [string, string, string]
  const strange = {
    [keyAt('2026-02-01T02:00:00')]: 'a run that is under way',
    [`${keyAt('2026-02-02T02:00:00')}.json`]: 'a manifest whose data are gone',
    'shop/app/none/notes.txt': 'mine',
    'shop/app/none/2026-01-01-02-00-00-000000.dump.bak': 'mine',
    'shop/app/none/2026-01-01.dump': 'mine',
    'shop/app/none/2026-01-01.dump.json': 'mine',
    [cut]: 'da',
    [`${garbled}.json`]: '{',
    [empty]: '',
  }
  writeFiles(folder, strange)
  const run = succeeded(await inFolder(folder, { 'keep-last': '1' }))
  assert.deepEqual(outcome(run), { deleted: NIGHTS.slice(4), kept: NIGHTS.slice(0, 4) })
  assert.deepEqual(
    filesIn(folder),
    [...new Set([...both(NIGHTS.slice(0, 4)), ...Object.keys(strange)])].sort(),
  )
  assert.equal(run.warnings.length, 3)
  assert.match(run.warnings.join('\n'), /is kept and not counted: .*is not JSON/)
  assert.match(run.log, /1 dump without a manifest, 1 manifest without a dump and 4 foreign objects/)
  await assertNothingLeft({ run })
})

test('the newest verified dump stays', async (t) => {
  const folder = await makeFolder(t)
  fill(folder, ...NIGHTS)
  const verified = { at: '2026-01-03T00:00:00Z', serverVersion: '15.18' }
  writeFiles(folder, storedDump(NIGHTS[4]!, { verified }))
  writeFiles(folder, storedDump(NIGHTS[5]!, { verified }))
  const run = succeeded(await inFolder(folder, { 'keep-last': '1' }))
  assert.deepEqual(outcome(run).kept, [NIGHTS[0], NIGHTS[4]])
  assert.match(run.summary, /`newest verified`/)
})

test('an empty folder is nothing to prune', async (t) => {
  const folder = await makeFolder(t)
  rmSync(folder, { recursive: true })
  assert.deepEqual(outcome(succeeded(await inFolder(folder, { 'keep-last': '1' }))), {
    deleted: [],
    kept: [],
  })
})
