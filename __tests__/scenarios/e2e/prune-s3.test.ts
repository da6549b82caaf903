import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Inputs } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import type { ActionRun } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { type S3, type S3Options, startS3 } from '../../../lab/s3/s3.ts'
import { storedDump } from '../../../lab/sample-dumps.ts'
import { both, NIGHTS, outcome, prune } from './prune-nights.ts'

const PREFIX = 'nightly/'

const inBucket = (s3: S3, inputs: Inputs) =>
  prune({
    'storage-location': `s3://${s3.bucket}/${PREFIX}`,
    's3-endpoint-url': s3.endpoint,
    's3-config': s3.config,
    ...inputs,
  })

async function fill(s3: S3, keys: readonly string[]): Promise<void> {
  for (const [key, text] of keys.flatMap((key) => Object.entries(storedDump(key))))
    await s3.write(PREFIX + key, text)
}

async function makeBucket(t: TestContext, options: S3Options = {}): Promise<S3> {
  const s3 = await startS3(options)
  t.after(() => s3[Symbol.asyncDispose]())
  return s3
}

/** A deletion in a bucket with versions only adds a marker. */
function assertVersionsStay(run: ActionRun): void {
  assert.match(run.notices.join(), /keeps versions: no space is free until a lifecycle rule/)
  assert.match(run.summary, /NoncurrentVersionExpiration/)
}

test('#36 in a bucket, 1,200 foreign objects and look-alike prefixes are not touched, and manifests go first', async (t) => {
  const s3 = await makeBucket(t, { quirks: { versions: true } })
  await fill(s3, NIGHTS)
  const lookAlikes = ['nightly-old/', 'nightly2/', 'nightl/', ''].flatMap((prefix) =>
    both(NIGHTS).map((key) => prefix + key),
  )
  const foreign = Array.from({ length: 1200 }, (_, n) => `${PREFIX}shop/app/none/part-${n}.dump`)
  for (const key of [...lookAlikes, ...foreign]) await s3.write(key, 'not ours')
  const before = new Set(s3.objects().keys())

  const run = succeeded(await inBucket(s3, { 'keep-last': '2' }))
  assert.deepEqual(outcome(run), { deleted: NIGHTS.slice(2), kept: NIGHTS.slice(0, 2) })
  const expected = both(NIGHTS.slice(2)).map((key) => PREFIX + key)
  assert.deepEqual([...before].filter((key) => !s3.objects().has(key)).sort(), expected.sort())
  assert.match(run.log, /0 dumps without a manifest, 0 manifests without a dump and 1,200 foreign objects/)
  assertVersionsStay(run)

  const deletions = s3.requests.filter(
    ({ method, operation }) => method === 'DELETE' || operation === 'DeleteObjects',
  )
  const inOrder = (keys: string[]) => keys.map((key) => PREFIX + key).sort()
  assert.deepEqual(
    deletions.map(({ deleted }) => deleted?.sort()),
    [inOrder(NIGHTS.slice(2).map((key) => `${key}.json`)), inOrder(both(NIGHTS.slice(2)))],
  )
  // The listing was read page by page to its end before anything was deleted.
  const operations = s3.requests.map(({ operation }) => operation)
  assert.ok(operations.lastIndexOf('ListObjectsV2') < operations.indexOf('DeleteObjects'))
  await assertNothingLeft({ run, secrets: s3.secrets })
})

/** Runs a prune that must fail, with everything left as it was. */
async function refuses(s3: S3, says: RegExp): Promise<void> {
  const before = [...s3.objects().keys()]
  const run = failed(await inBucket(s3, { 'keep-last': '1' }), says)
  assert.deepEqual([...s3.objects().keys()], before)
  assert.ok(!s3.requests.some(({ operation }) => operation.startsWith('Delete')))
  await assertNothingLeft({ run, s3 })
}

test('#36 403 on a later page of the listing: nothing is deleted', async (t) => {
  const s3 = await makeBucket(t, { quirks: { pageSize: 5 } })
  await fill(s3, NIGHTS)
  const action = { type: 'error', status: 403, code: 'AccessDenied' } as const
  s3.fault({ operation: 'ListObjectsV2', query: 'continuation-token', times: 99, action })
  await refuses(s3, /access denied.*AccessDenied in ListObjectsV2/)
})

test('#36 when no manifest can be read, nothing is deleted; when one cannot, it is kept', async (t) => {
  const s3 = await makeBucket(t)
  await fill(s3, NIGHTS.slice(0, 3))
  const action = { type: 'error', status: 403, code: 'AccessDenied' } as const
  s3.fault({ operation: 'GetObject', times: 99, action })
  await refuses(s3, /forbidden|AccessDenied|denied/)
  s3.heal()
  s3.fault({ key: `${NIGHTS[1]}.json`, operation: 'GetObject', times: 99, action })
  const run = succeeded(await inBucket(s3, { 'keep-last': '1' }))
  assert.deepEqual(outcome(run).kept, [NIGHTS[0], NIGHTS[1]])
  assert.match(run.warnings.join('\n'), /is kept and not counted/)
  await assertNothingLeft({ run, s3 })
})

test('#16 a locked dump is a warning and stays whole, whichever of its objects is locked', async (t) => {
  const s3 = await makeBucket(t, { quirks: { locked: new RegExp(`${NIGHTS[3]}.json$|${NIGHTS[4]}$`) } })
  await fill(s3, NIGHTS)
  const before = new Map([...s3.objects()].map(([key, { etag }]) => [key, etag]))
  const run = succeeded(await inBucket(s3, { 'keep-last': '2' }))
  const kept = [NIGHTS[0]!, NIGHTS[1]!, NIGHTS[3]!, NIGHTS[4]!]
  assert.deepEqual(outcome(run), { deleted: [NIGHTS[2], NIGHTS[5]], kept })
  const after = both(kept).map((key) => PREFIX + key)
  assert.deepEqual([...s3.objects().keys()].sort(), after.sort())
  for (const key of after) assert.equal(s3.objects().get(key)!.etag, before.get(key))
  assert.equal(run.warnings.filter((text) => /object lock/.test(text)).length, 2)
  assert.match(run.summary, /cannot be deleted: Access Denied because object protected/)
  await assertNothingLeft({ run, s3 })
})

test('without the right to delete, prune is not green and everything stays', async (t) => {
  const s3 = await makeBucket(t, { quirks: { undeletable: /json$/ } })
  await fill(s3, NIGHTS)
  failed(
    await inBucket(s3, { 'keep-last': '4' }),
    /2 dumps could not be deleted \(on S3, grant s3:DeleteObject\): Access Denied \[AccessDenied\]/,
  )
  assert.equal(s3.objects().size, 12)
})

test('a store that deletes one object at a time', async (t) => {
  const nights = NIGHTS.slice(0, 3)
  const s3 = await makeBucket(t, {
    quirks: { noMultiDelete: true, versions: true, locked: new RegExp(`${nights[1]}.json$`) },
  })
  await fill(s3, nights)
  const run = succeeded(await inBucket(s3, { 'keep-last': '1' }))
  const kept = nights.slice(0, 2)
  assert.deepEqual(outcome(run), { deleted: [nights[2]], kept })
  assert.deepEqual(
    [...s3.objects().keys()].sort(),
    both(kept)
      .map((key) => PREFIX + key)
      .sort(),
  )
  const deleted = s3.requests.flatMap((request) => request.deleted ?? [])
  const data = deleted.filter((one) => one.endsWith('.dump'))
  assert.deepEqual(data, [PREFIX + nights[2]])
  assert.ok(deleted.indexOf(`${data[0]}.json`) < deleted.indexOf(data[0]!), 'manifests went first')
  assertVersionsStay(run)
})

test('when data cannot be deleted after their manifests, it says so', async (t) => {
  const s3 = await makeBucket(t)
  await fill(s3, NIGHTS)
  const action = { type: 'error', status: 403, code: 'AccessDenied' } as const
  s3.fault({ operation: 'DeleteObjects', nth: 2, times: 99, action })
  failed(
    await inBucket(s3, { 'keep-last': '4' }),
    /manifests of 2 dumps are deleted, but their data may stay/,
  )
})
