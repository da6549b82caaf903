/** What other programs keep below the same prefix is neither downloaded nor ended. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { runAction } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { type S3, startS3 } from '../../../lab/s3/s3.ts'
import { keyAt, storedDump } from '../../../lab/sample-dumps.ts'

const KEYS = ['2026-01-03', '2026-01-02', '2026-01-01'].map((day) => keyAt(`${day}T02:00:00`))

let s3: S3
before(async () => {
  s3 = await startS3()
  for (const key of KEYS)
    for (const [name, text] of Object.entries(storedDump(key))) await s3.write(name, text)
})
after(() => s3[Symbol.asyncDispose]())

const run = (command: string, inputs: Record<string, string> = {}) =>
  runAction({
    ...{ command, 'install-tools': 'never', retries: '0' },
    ...{ 'storage-location': `s3://${s3.bucket}/`, 's3-endpoint-url': s3.endpoint, 's3-config': s3.config },
    ...inputs,
  })

test('#50 list and prune read their own manifests, and end no upload of another program or of a job that may run', async () => {
  const foreign = ['shop/app/none/large.dump.json', 'mysql.dump.json', `deeper/${KEYS[0]}.json`]
  for (const key of foreign) await s3.write(key, 'x'.repeat(1 << 20))
  const daysAgo = (days: number) => new Date(Date.now() - days * 864e5)
  const dead = s3.openUpload(keyAt('2026-01-05T02:00:00'), daysAgo(7))
  const kept = [
    s3.openUpload(keyAt('2026-01-06T02:00:00'), daysAgo(4.9)),
    s3.openUpload('backups/mysql.dump', daysAgo(30)),
    s3.openUpload('shop/app/none/nightly.dump', daysAgo(30)),
  ]
  s3.requests.length = 0
  assert.equal(succeeded(await run('list')).outputs['dump-count'], '3')
  const pruned = succeeded(await run('prune', { 'keep-last': '3' }))
  const read = s3.requests.filter(({ operation }) => operation === 'GetObject').map(({ key }) => key)
  const own = KEYS.map((key) => `${key}.json`)
  assert.deepEqual(read.sort(), [...own, ...own].sort())
  assert.deepEqual(s3.uploads(), kept)
  assert.match(pruned.log, new RegExp(`Ended the unfinished upload of ${dead.key}`))
})

test('#50 a manifest of any size is not read into memory: a restore of it is refused', async () => {
  const huge = keyAt('2026-01-04T02:00:00', 'huge/app/none')
  for (const [name, text] of Object.entries(storedDump(huge))) await s3.write(name, text)
  await s3.write(`${huge}.json`, Buffer.alloc(300 * 1024 * 1024, ' '))
  const says = /The manifest of huge\/.* has 315 MB; this action writes none of more than 16\.8 MB/
  for (const reference of [huge, 'huge/app']) {
    const more = { 'dump-key': reference, 'database-url': 'postgres://127.0.0.1:9/x' }
    const { peakRss } = failed(await run('restore', more), says)
    assert.ok(peakRss < 250e6, `${peakRss} bytes`)
  }
  await s3.remove(`${huge}.json`)
})
