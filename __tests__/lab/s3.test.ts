import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { requestS3 } from '../../lab/s3/client.ts'
import type { FaultAction } from '../../lab/s3/s3.ts'
import { startS3 } from '../../lab/s3/s3.ts'

const megabytes = (count: number) => randomBytes(count * 1024 * 1024)
const codeOf = (body: Buffer) => /<Code>(\w+)<\/Code>/.exec(body.toString())?.[1]

test('keeps objects with their properties and answers conditions', async () => {
  await using s3 = await startS3()
  const headers = { 'if-none-match': '*', 'x-amz-storage-class': 'GLACIER', 'x-amz-meta-a': 'b' }
  assert.equal((await requestS3(s3, 'PUT', 'k%20%C3%A9', { headers, body: 'one' })).status, 200)
  const second = await requestS3(s3, 'PUT', 'k%20%C3%A9', { headers, body: 'two' })
  assert.deepEqual([second.status, codeOf(second.body)], [412, 'PreconditionFailed'])
  assert.equal((await s3.read('k é')).toString(), 'one')
  const { etag, storageClass } = s3.objects().get('k é')!
  assert.equal(storageClass, 'GLACIER')
  const ranged = await requestS3(s3, 'GET', 'k%20%C3%A9', {
    headers: { range: 'bytes=1-1', 'if-match': etag },
  })
  assert.deepEqual(
    [ranged.status, ranged.body.toString(), ranged.headers['content-range']],
    [206, 'n', 'bytes 1-1/3'],
  )
  assert.equal((await requestS3(s3, 'GET', 'k%20%C3%A9', { headers: { 'if-match': '"x"' } })).status, 412)
  assert.equal((await requestS3(s3, 'HEAD', 'k%20%C3%A9')).headers['x-amz-meta-a'], 'b')
  assert.equal(codeOf((await requestS3(s3, 'GET', 'none')).body), 'NoSuchKey')
  assert.equal(codeOf((await requestS3(s3, 'GET', 'k', { accessKeyId: 'WRONG' })).body), 'InvalidAccessKeyId')
  s3.quirks.ignoreConditions = true
  assert.equal((await requestS3(s3, 'PUT', 'k%20%C3%A9', { headers, body: 'two' })).status, 200)
})

test('decodes aws-chunked bodies and checks their trailers', async () => {
  await using s3 = await startS3()
  const put = (checksum: string) => {
    const body = `5\r\nhello\r\n6;chunk-signature=0\r\n world\r\n0\r\nx-amz-checksum-crc32:${checksum}\r\n\r\n`
    const headers = { 'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': '11' }
    return requestS3(s3, 'PUT', 'k', {
      headers: { ...headers, 'x-amz-trailer': 'x-amz-checksum-crc32' },
      body,
    })
  }
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32('hello world'))
  assert.equal((await put(sum.toString('base64'))).status, 200)
  assert.equal((await s3.read('k')).toString(), 'hello world')
  assert.equal(codeOf((await put('AAAAAA==')).body), 'BadDigest')
  s3.quirks.keepChunkFraming = true
  await put(sum.toString('base64'))
  assert.match((await s3.read('k')).toString(), /^5\r\nhello/)
})

test('completes, lists and aborts multipart uploads', async () => {
  await using s3 = await startS3({ quirks: { maxParts: 3 } })
  const created = await requestS3(s3, 'POST', 'a/big?uploads')
  const id = /<UploadId>(\w+)</.exec(created.body.toString())![1]
  const parts = [megabytes(5), megabytes(6), megabytes(1)]
  const tags = []
  for (const [index, body] of parts.entries())
    tags.push(
      (await requestS3(s3, 'PUT', `a/big?partNumber=${index + 1}&uploadId=${id}`, { body })).headers.etag,
    )
  assert.equal((await requestS3(s3, 'PUT', `a/big?partNumber=4&uploadId=${id}`, { body: 'x' })).status, 400)
  s3.openUpload('b', new Date(0))
  assert.match(
    (await requestS3(s3, 'GET', '?uploads&prefix=a')).body.toString(),
    /<Upload><Key>a\/big<\/Key>/,
  )
  assert.equal(s3.uploads().length, 2)
  const list = tags.map(
    (tag, index) => `<Part><ETag>${tag}</ETag><PartNumber>${index + 1}</PartNumber></Part>`,
  )
  const body = `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`
  assert.equal((await requestS3(s3, 'POST', `a/big?uploadId=${id}`, { body })).status, 200)
  assert.ok((await s3.read('a/big')).equals(Buffer.concat(parts)))
  const across = await requestS3(s3, 'GET', 'a/big', { headers: { range: 'bytes=5242870-5242889' } })
  assert.ok(across.body.equals(Buffer.concat(parts).subarray(5242870, 5242890)))
  const other = s3.uploads()[0]!
  assert.equal((await requestS3(s3, 'DELETE', `b?uploadId=${other.uploadId}`)).status, 204)
  assert.deepEqual(s3.uploads(), [])
})

test('lists in pages', async () => {
  await using s3 = await startS3({ quirks: { pageSize: 2 } })
  for (const key of ['a/1', 'a/2', 'b & c', 'd']) await s3.write(key, key)
  const keys = (body: Buffer) =>
    [...body.toString().matchAll(/<(?:Key|Prefix)>([^<]+)</g)].map((match) => match[1])
  const first = (await requestS3(s3, 'GET', '?list-type=2')).body
  assert.deepEqual(keys(first), ['a/1', 'a/2'])
  const token = /<NextContinuationToken>(.+)<\/Next/.exec(first.toString())![1]
  assert.deepEqual(keys((await requestS3(s3, 'GET', `?list-type=2&continuation-token=${token}`)).body), [
    'b &#38; c',
    'd',
  ])
  assert.deepEqual(keys((await requestS3(s3, 'GET', '?list-type=2&delimiter=%2F&max-keys=1')).body), ['a/'])
  const encoded = await requestS3(s3, 'GET', '?list-type=2&prefix=b&encoding-type=url')
  assert.deepEqual(keys(encoded.body), ['b', 'b%20%26%20c'])
})

test('breaks downloads on demand', async () => {
  await using s3 = await startS3()
  const bytes = megabytes(1)
  await s3.write('k', bytes)
  const get = async (action: FaultAction, headers = {}) => {
    s3.fault({ operation: 'GetObject', key: /^k$/, action })
    return await requestS3(s3, 'GET', 'k', { headers })
  }
  assert.equal(codeOf((await get({ type: 'error', status: 503, code: 'SlowDown' })).body), 'SlowDown')
  const closed = await get({ type: 'close', after: 300_000 })
  assert.deepEqual([closed.body.length, closed.broken], [300_000, 'ECONNRESET'])
  const reset = await get({ type: 'reset', after: 300_000 })
  assert.deepEqual([reset.body.length, reset.broken], [300_000, 'ECONNRESET'])
  const short = await get({ type: 'truncate', after: 300_000 })
  assert.deepEqual([short.status, short.body.length, short.broken], [200, 300_000, undefined])
  const whole = await get({ type: 'ignore-range' }, { range: 'bytes=0-9' })
  assert.deepEqual([whole.status, whole.body.length], [200, bytes.length])
  const flipped = (await get({ type: 'flip', at: 500_000 })).body
  assert.equal(
    flipped.findIndex((byte, index) => byte !== bytes[index]),
    500_000,
  )
  s3.fault({ key: 'k', action: { type: 'stall', after: 10 } })
  const started = performance.now()
  const stalled = await requestS3(s3, 'GET', 'k', { signal: AbortSignal.timeout(300) })
  assert.equal(stalled.body.length, 10)
  assert.ok(performance.now() - started > 290)
  assert.ok((await requestS3(s3, 'GET', 'k')).body.equals(bytes))
})

test('breaks uploads on demand, counts requests and keeps nothing of a broken one', async () => {
  await using s3 = await startS3()
  s3.fault({ method: 'PUT', nth: 2, times: 2, action: { type: 'error', status: 400, code: 'ExpiredToken' } })
  const statuses = []
  for (let index = 0; index < 4; index++)
    statuses.push((await requestS3(s3, 'PUT', 'k', { body: 'x' })).status)
  assert.deepEqual(statuses, [200, 400, 400, 200])
  s3.fault({
    operation: 'PutObject',
    times: Number.POSITIVE_INFINITY,
    action: { type: 'reset', after: 100_000 },
  })
  await assert.rejects(requestS3(s3, 'PUT', 'broken', { body: megabytes(4) }))
  assert.deepEqual([...s3.objects().keys()], ['k'])
  s3.heal()
  s3.fault({ operation: 'GetObject', action: { type: 'call', run: () => s3.write('k', 'replaced') } })
  assert.equal((await requestS3(s3, 'GET', 'k')).body.toString(), 'replaced')
  assert.deepEqual(s3.requests.at(-1)?.operation, 'GetObject')
})
