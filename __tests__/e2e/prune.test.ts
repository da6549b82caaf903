import assert from 'node:assert/strict'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type ActionRun, runAction } from '../support/action.ts'
import { assertNothingLeft } from '../support/leftovers.ts'
import { type S3, startS3 } from '../support/s3.ts'
import { keyAt, storedDump, writeFiles } from '../support/stored.ts'
import { tempFolder } from '../support/temp.ts'
import { failed, type Inputs, succeeded } from './bench.ts'

const PREFIX = 'nightly/'
const DAYS = Array.from({ length: 6 }, (_, day) => `2026-01-0${day + 1}T02:00:00`)
/** Six nights of one database, newest first. */
const NIGHTS = DAYS.map((time) => keyAt(time)).reverse()
const both = (keys: readonly string[]) => keys.flatMap((key) => [key, `${key}.json`])

const prune = (inputs: Inputs) => runAction({ command: 'prune', 'install-tools': 'never', ...inputs })
const inFolder = (folder: string, inputs: Inputs) => prune({ 'storage-location': folder, ...inputs })
const inBucket = (s3: S3, inputs: Inputs) =>
  prune({
    'storage-location': `s3://${s3.bucket}/${PREFIX}`,
    's3-endpoint-url': s3.endpoint,
    's3-config': s3.config,
    ...inputs,
  })

function fill(folder: string, ...keys: string[]): void {
  for (const key of keys) writeFiles(folder, storedDump(key))
}

async function fillBucket(s3: S3, objects: Record<string, string>): Promise<void> {
  for (const [key, text] of Object.entries(objects)) await s3.write(PREFIX + key, text)
}

const nights = () => Object.assign({}, ...NIGHTS.map((key) => storedDump(key))) as Record<string, string>

function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort()
}

/** The outputs as lists of keys. */
function outcome({ outputs }: ActionRun): { deleted: string[]; kept: string[] } {
  return { deleted: JSON.parse(outputs.deleted!), kept: JSON.parse(outputs.kept!) }
}

async function makeFolder(t: TestContext): Promise<string> {
  const folder = tempFolder('dumps')
  t.after(() => folder[Symbol.asyncDispose]())
  return folder.path
}

async function makeBucket(t: TestContext, options = {}): Promise<S3> {
  const s3 = await startS3(options)
  t.after(() => s3[Symbol.asyncDispose]())
  return s3
}

test('a folder keeps what a rule keeps, and says why', async (t) => {
  const folder = await makeFolder(t)
  fill(folder, ...NIGHTS)
  const run = succeeded(await inFolder(folder, { 'keep-last': '2', 'keep-within': '2d' }))
  assert.deepEqual(outcome(run), { deleted: NIGHTS.slice(2), kept: NIGHTS.slice(0, 2) })
  assert.ok(Number(run.outputs['duration-ms']) > 0)
  assert.deepEqual(filesIn(folder), both(NIGHTS.slice(0, 2)).sort())
  assert.match(run.summary, /Deleted 4 of 6 dumps/)
  assert.ok(run.summary.includes(`| \`${NIGHTS[0]}\` | `) && run.summary.includes('`within 2d`, `last`'))
  assert.match(run.summary, /\*\*deleted\*\* \| no rule keeps it/)
  await assertNothingLeft({ run, folder })
})

test('a dry run says what a run would do, and does nothing', async (t) => {
  const folder = await makeFolder(t)
  fill(folder, ...NIGHTS)
  const before = filesIn(folder)
  const dry = succeeded(await inFolder(folder, { 'keep-last': '4', 'dry-run': 'true' }))
  assert.deepEqual(filesIn(folder), before)
  for (const key of NIGHTS.slice(4)) assert.match(dry.log, new RegExp(`Would delete ${key}`))
  assert.match(dry.summary, /Dry run: would delete 2 of 6/)
  const run = succeeded(await inFolder(folder, { 'keep-last': '4' }))
  assert.deepEqual(outcome(run), outcome(dry))
})

test('without a rule, with a full key, or with a wrong rule, nothing is deleted', async (t) => {
  const folder = await makeFolder(t)
  fill(folder, ...NIGHTS)
  const before = filesIn(folder)
  failed(await inFolder(folder, {}), /Input keep-last \(or keep-within, .*\) is missing/)
  failed(await inFolder(folder, { 'keep-last': '0', 'keep-within': '0d' }), /is missing/)
  failed(
    await inFolder(folder, { 'keep-last': '1', 'dump-key': NIGHTS[3]! }),
    /Input dump-key names one dump/,
  )
  failed(
    await inFolder(folder, { 'keep-last': '1', 'keep-daily': '-1' }),
    /Input keep-daily must not be negative/,
  )
  failed(await inFolder(folder, { 'keep-within': '2w' }), /keep-within must be years, months, days and hours/)
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

test('what is uncommitted, foreign or unsound stays, and does not count', async (t) => {
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
  assert.match(run.log, /1 dumps without a manifest, 1 manifests without a dump and 4 foreign objects/)
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

test('in a bucket, 2,500 foreign objects and look-alike prefixes are not touched, and manifests go first', async (t) => {
  const s3 = await makeBucket(t)
  await fillBucket(s3, nights())
  const lookAlikes = ['nightly-old/', 'nightly2/', 'nightl/', ''].flatMap((prefix) =>
    both(NIGHTS).map((key) => prefix + key),
  )
  const foreign = Array.from({ length: 2500 }, (_, n) => `${PREFIX}shop/app/none/part-${n}.dump`)
  for (const key of [...lookAlikes, ...foreign]) await s3.write(key, 'not ours')
  const before = new Set(s3.objects().keys())

  const run = succeeded(await inBucket(s3, { 'keep-last': '2' }))
  assert.deepEqual(outcome(run), { deleted: NIGHTS.slice(2), kept: NIGHTS.slice(0, 2) })
  const expected = both(NIGHTS.slice(2)).map((key) => PREFIX + key)
  assert.deepEqual([...before].filter((key) => !s3.objects().has(key)).sort(), expected.sort())
  assert.match(run.log, /0 dumps without a manifest, 0 manifests without a dump and 2,500 foreign objects/)

  const deletions = s3.requests.filter(
    ({ method, operation }) => method === 'DELETE' || operation === 'DeleteObjects',
  )
  const inOrder = (keys: string[]) => keys.map((key) => PREFIX + key).sort()
  assert.deepEqual(
    deletions.map(({ deleted }) => deleted?.sort()),
    [inOrder(NIGHTS.slice(2).map((key) => `${key}.json`)), inOrder(NIGHTS.slice(2))],
  )
  // The listing was read page by page to its end before anything was deleted.
  const operations = s3.requests.map(({ operation }) => operation)
  assert.ok(operations.lastIndexOf('ListObjectsV2') < operations.indexOf('DeleteObjects'))
  assert.ok(!run.log.includes(s3.env.AWS_SECRET_ACCESS_KEY!))
})

test('more dumps than one request can name', async (t) => {
  const s3 = await makeBucket(t)
  const start = Date.UTC(2020, 0, 1)
  const keys = Array.from({ length: 1002 }, (_, hour) => keyAt(new Date(start + hour * 36e5).toISOString()))
  for (const key of keys) await fillBucket(s3, storedDump(key))
  const run = succeeded(await inBucket(s3, { 'keep-last': '1' }))
  assert.equal(outcome(run).deleted.length, 1001)
  assert.deepEqual(
    [...s3.objects().keys()].sort(),
    both(keys.slice(-1))
      .map((key) => PREFIX + key)
      .sort(),
  )
  const sizes = s3.requests.flatMap(({ deleted }) => (deleted ? [deleted.length] : []))
  assert.deepEqual(sizes, [1000, 1, 1000, 1])
  assert.match(run.summary, /… and 2 older ones, which are in the log/)
})

/** Runs a prune that must fail, with everything left as it was. */
async function refuses(s3: S3, says: RegExp): Promise<void> {
  const before = [...s3.objects().keys()]
  failed(await inBucket(s3, { 'keep-last': '1' }), says)
  assert.deepEqual([...s3.objects().keys()], before)
  assert.ok(!s3.requests.some(({ operation }) => operation.startsWith('Delete')))
}

test('403 on listing: nothing is deleted', async (t) => {
  const s3 = await makeBucket(t)
  await fillBucket(s3, nights())
  s3.fault({
    operation: 'ListObjectsV2',
    times: 99,
    action: { type: 'error', status: 403, code: 'AccessDenied' },
  })
  await refuses(s3, /access denied.*AccessDenied in ListObjectsV2/)
})

test('403 on a later page of the listing: nothing is deleted', async (t) => {
  const s3 = await makeBucket(t, { quirks: { pageSize: 5 } })
  await fillBucket(s3, nights())
  const action = { type: 'error', status: 403, code: 'AccessDenied' } as const
  s3.fault({ operation: 'ListObjectsV2', query: 'continuation-token', times: 99, action })
  await refuses(s3, /AccessDenied in ListObjectsV2/)
})

test('a listing that says it goes on and not where is refused', async (t) => {
  const s3 = await makeBucket(t, { quirks: { noContinuation: true } })
  await fillBucket(s3, nights())
  await refuses(s3, /its list goes on and gave no way to go on/)
})

test('when no manifest can be read, nothing is deleted; when one cannot, it is kept', async (t) => {
  const s3 = await makeBucket(t)
  await fillBucket(s3, nights())
  const action = { type: 'error', status: 403, code: 'AccessDenied' } as const
  s3.fault({ operation: 'GetObject', times: 99, action })
  await refuses(s3, /forbidden|AccessDenied|denied/)
  s3.heal()
  s3.fault({ key: `${NIGHTS[2]}.json`, operation: 'GetObject', times: 99, action })
  const run = succeeded(await inBucket(s3, { 'keep-last': '1' }))
  assert.deepEqual(outcome(run).kept, [NIGHTS[0], NIGHTS[2]])
  assert.match(run.warnings.join('\n'), /is kept and not counted/)
})

test('a locked dump is a warning and stays whole, whichever of its objects is locked', async (t) => {
  const s3 = await makeBucket(t, { quirks: { locked: new RegExp(`${NIGHTS[3]}.json$|${NIGHTS[4]}$`) } })
  await fillBucket(s3, nights())
  const before = new Map([...s3.objects()].map(([key, { etag }]) => [key, etag]))
  const run = succeeded(await inBucket(s3, { 'keep-last': '2' }))
  const kept = [NIGHTS[0]!, NIGHTS[1]!, NIGHTS[3]!, NIGHTS[4]!]
  assert.deepEqual(outcome(run), { deleted: [NIGHTS[2], NIGHTS[5]], kept })
  const after = both(kept).map((key) => PREFIX + key)
  assert.deepEqual([...s3.objects().keys()].sort(), after.sort())
  for (const key of after) assert.equal(s3.objects().get(key)!.etag, before.get(key))
  assert.equal(run.warnings.filter((text) => /object lock/.test(text)).length, 2)
  assert.match(run.summary, /cannot be deleted: Access Denied because object protected/)
})

test('when data cannot be deleted after their manifests, it says so', async (t) => {
  const s3 = await makeBucket(t)
  await fillBucket(s3, nights())
  const action = { type: 'error', status: 403, code: 'AccessDenied' } as const
  s3.fault({ operation: 'DeleteObjects', nth: 2, times: 99, action })
  failed(
    await inBucket(s3, { 'keep-last': '4' }),
    /manifests of 2 dumps are deleted, and their data may stay/,
  )
})
