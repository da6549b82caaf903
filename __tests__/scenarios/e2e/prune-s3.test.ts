import assert from 'node:assert/strict'
import { after, before as beforeAll, describe, type TestContext, test } from 'node:test'
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

const etags = (s3: S3) => new Map([...s3.objects()].map(([key, { etag }]) => [key, etag]))

describe('a prune of a bucket with versions, locks and objects of others', () => {
  const locked = new RegExp(`${NIGHTS[3]}.json$|${NIGHTS[4]}$`)
  const [kept, deleted] = [
    [0, 1, 3, 4],
    [2, 5],
  ].map((nights) => nights.map((night) => NIGHTS[night]!))
  const scope = new AsyncDisposableStack()
  let s3: S3
  let before: Map<string, string>
  let run: ActionRun

  beforeAll(async () => {
    s3 = scope.use(await startS3({ quirks: { versions: true, pageSize: 30, locked } }))
    await fill(s3, NIGHTS)
    const lookAlikes = ['nightly-old/', 'nightly2/', 'nightl/', ''].flatMap((prefix) =>
      both(NIGHTS).map((key) => prefix + key),
    )
    const foreign = Array.from({ length: 30 }, (_, n) => `${PREFIX}shop/app/none/pärt & ${n}+.dump`)
    for (const key of [...lookAlikes, ...foreign]) await s3.write(key, 'not ours')
    before = etags(s3)
    run = succeeded(await inBucket(s3, { 'keep-last': '2' }))
  })
  after(() => scope.disposeAsync())

  test('#36 foreign objects and look-alike prefixes are not touched, and manifests go first', async () => {
    assert.deepEqual(outcome(run), { deleted, kept })
    const expected = new Map(before)
    for (const key of both(deleted!)) expected.delete(PREFIX + key)
    assert.deepEqual(etags(s3), expected)
    assert.match(run.log, /0 dumps without a manifest, 0 manifests without a dump and 30 foreign objects/)
    // A deletion in a bucket with versions only adds a marker.
    assert.match(run.notices.join(), /keeps versions: no space is free until a lifecycle rule/)
    assert.match(run.summary, /NoncurrentVersionExpiration/)

    const operations = s3.requests.map(({ operation }) => operation)
    const inOrder = (keys: string[]) => keys.map((key) => PREFIX + key).sort()
    const manifests = [2, 4, 5].map((night) => `${NIGHTS[night]}.json`)
    assert.deepEqual(
      s3.requests.filter(({ operation }) => operation.startsWith('Delete')).map((one) => one.deleted?.sort()),
      [inOrder(manifests), inOrder([...manifests, ...deleted!])],
    )
    // The listing was read page by page to its end before anything was deleted.
    assert.ok(s3.requests.some(({ query }) => query.includes('continuation-token')))
    assert.ok(operations.lastIndexOf('ListObjectsV2') < operations.indexOf('DeleteObjects'))
    await assertNothingLeft({ run, secrets: s3.secrets })
  })

  test('#16 a locked dump is a warning and stays whole, whichever of its objects is locked', () => {
    for (const key of both(kept!)) assert.equal(etags(s3).get(PREFIX + key), before.get(PREFIX + key))
    assert.equal(run.warnings.filter((text) => /object lock/.test(text)).length, 2)
    assert.match(run.summary, /cannot be deleted: Access Denied because object protected/)
  })
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

test('#36 when no manifest can be read, nothing is deleted; when one cannot, it is kept and not counted', async (t) => {
  const s3 = await makeBucket(t)
  await fill(s3, NIGHTS.slice(0, 2))
  const action = { type: 'error', status: 403, code: 'AccessDenied' } as const
  s3.fault({ operation: 'GetObject', times: 99, action })
  await refuses(s3, /forbidden|AccessDenied|denied/)
  s3.heal()
  s3.fault({ key: `${NIGHTS[0]}.json`, operation: 'GetObject', times: 99, action })
  const run = succeeded(await inBucket(s3, { 'keep-last': '1' }))
  assert.deepEqual(outcome(run), { deleted: [], kept: NIGHTS.slice(0, 2) })
  assert.match(run.summary, /`last`/)
  assert.match(run.warnings.join('\n'), /is kept and not counted/)
  await assertNothingLeft({ run, s3 })
})

test('without the right to delete, prune is not green and everything stays', async (t) => {
  const s3 = await makeBucket(t, { quirks: { undeletable: /json$/ } })
  await fill(s3, NIGHTS.slice(0, 3))
  failed(
    await inBucket(s3, { 'keep-last': '1' }),
    /2 dumps could not be deleted \(on S3, grant s3:DeleteObject\): Access Denied \[AccessDenied\]/,
  )
  assert.equal(s3.objects().size, 6)
})
