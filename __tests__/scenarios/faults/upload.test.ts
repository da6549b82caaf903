import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { committedDumps, witness } from '../../../lab/benches/witness.ts'
import { makeData } from '../../../lab/postgres/sample.ts'
import { runPost } from '../../../lab/runner/action.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { startS3 } from '../../../lab/s3/s3.ts'

let bench: Bench

before(async () => {
  bench = await startBench()
  // Three parts of the AWS CLI; `small` is for what becomes of one.
  await makeData(bench.postgres, 'app', 18)
  await makeData(bench.postgres, 'small', 1)
})
beforeEach(() => bench.s3.heal())
after(() => bench?.[Symbol.asyncDispose]())

const parts = { compression: 'none', 's3-max-parts': '10000' }
const always = Number.POSITIVE_INFINITY

test('#13 expired credentials that cannot clean up leave a warning, and the post step tries again', async () => {
  const harm = await witness(bench)
  const expired = { type: 'error', status: 400, code: 'ExpiredToken' } as const
  for (const operation of ['UploadPart', 'AbortMultipartUpload', 'ListMultipartUploads', 'DeleteObject'])
    bench.s3.fault({
      operation,
      ...(operation === 'UploadPart' && { nth: 2 }),
      times: always,
      action: expired,
    })
  const run = await bench.run('dump', 's3', 'app', parts)
  assert.match(run.errors[0]!, /credentials have expired; .*aws-role-to-assume renews them/)
  assert.equal(bench.s3.uploads().length, 1)
  assert.ok(run.warnings.some((warning) => /unfinished uploads.*expired/.test(warning)))
  bench.s3.heal()
  await runPost(run)
  await harm.assertClean(run)
})

test('#12 #14 #16 a store that takes few parts is told so, or gets few, also when it demands checksums and answers 503 at times', async () => {
  const harm = await witness(bench)
  bench.s3.quirks.maxParts = 2
  try {
    const run = await bench.run('dump', 's3', 'app', parts)
    await harm.assertHarmless(run, /s3-max-parts/)
    for (const operation of ['ListObjectsV2', 'UploadPart', 'HeadObject', 'PutObject'])
      bench.s3.fault({ operation, action: { type: 'error', status: 503, code: 'SlowDown' } })
    bench.s3.fault({ operation: 'UploadPart', nth: 2, action: { type: 'reset', after: 100_000 } })
    bench.s3.requests.length = 0
    // The store may demand checksums as well: a bucket with Object Lock takes what #16 advises.
    bench.s3.quirks.requireChecksum = true
    const few = { ...parts, 's3-max-parts': '2', 's3-checksum': 'when-supported', config: 'few_parts' }
    const key = await bench.dump('s3', 'app', few)
    assert.ok(committedDumps(bench).some((name) => name.includes(key)))
    const sent = bench.s3.requests.filter(({ operation }) => operation === 'UploadPart')
    // One part of all that there is: refused, cut and taken.
    assert.deepEqual(
      sent.map(({ status }) => status),
      [503, 0, 200],
    )
  } finally {
    delete bench.s3.quirks.maxParts
    delete bench.s3.quirks.requireChecksum
  }
})

test('#15 a store that keeps the framing of checksums', async () => {
  await using store = await startS3({ tls: true, quirks: { keepChunkFraming: true } })
  const there = {
    'storage-location': `s3://${store.bucket}/framing/`,
    's3-endpoint-url': store.endpoint,
    's3-config': store.config,
  }
  const harm = await witness(bench)
  const run = await bench.run('dump', 's3', 'small', { ...there, 's3-checksum': 'when-supported' })
  // An AWS CLI before the checksums of 2025 sends none, and there is nothing that could be kept.
  if (run.exitCode === 1) {
    await harm.assertHarmless(
      run,
      /bytes were sent and the store holds [\d,]+ bytes; the dump was not committed/,
    )
    assert.deepEqual([...store.objects().keys()], [])
  }
  const plain = succeeded(await bench.run('dump', 's3', 'small', there))
  assert.equal(
    store.objects().get(`framing/${plain.outputs['dump-key']}`)?.size,
    Number(plain.outputs['dump-size']),
  )
  await harm.assertClean(plain)
})

test('#16 a bucket with Object Lock demands checksums', async () => {
  const harm = await witness(bench)
  bench.s3.quirks.requireChecksum = true
  const from = bench.s3.requests.length
  try {
    const run = await bench.run('dump', 's3', 'small', { 's3-checksum': 'when-required' })
    // An AWS CLI before the checksums of 2025 sends the older Content-MD5, which such a bucket takes.
    const sent = bench.s3.requests.slice(from).filter(({ operation }) => operation === 'PutObject')
    const old = sent.some(({ headers }) => headers['content-md5'] !== undefined)
    if (!old)
      await harm.assertHarmless(run, /as buckets with Object Lock do; set s3-checksum: when-supported/)
  } finally {
    delete bench.s3.quirks.requireChecksum
  }
})

test('the store does not answer any more', async () => {
  const harm = await witness(bench)
  bench.s3.fault({ operation: 'UploadPart', times: always, action: { type: 'stall', after: 50_000 } })
  const run = await bench.run('dump', 's3', 'app', { ...parts, 'idle-timeout': '3s' })
  await harm.assertHarmless(
    run,
    /No byte moved for 3 s|did not finish the upload within 3 s \(idle-timeout\)/,
  )
})
