import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { type S3Store, startS3 } from '../../lab/s3/s3.ts'

const path = process.env.PATH ?? ''
const isMissing = !path.split(delimiter).some((folder) => existsSync(join(folder, 'aws')))
const skip = isMissing ? 'the AWS CLI is not installed' : false

async function aws(s3: S3Store, args: string[], input: Buffer | string = '') {
  const env = { PATH: path, HOME: '/nonexistent', AWS_MAX_ATTEMPTS: '2', ...s3.env }
  const child: ChildProcess = spawn('aws', [...args, '--endpoint-url', s3.endpoint], { env })
  child.stdin!.on('error', () => {}).end(input)
  const [output, errors] = await Promise.all([
    buffer(child.stdout!),
    buffer(child.stderr!),
    once(child, 'close'),
  ])
  return { code: child.exitCode, output, errors: errors.toString() }
}

async function roundTrip(s3: S3Store): Promise<void> {
  const bytes = randomBytes(20_000_000)
  const url = `s3://${s3.bucket}/backups/shop/none/1.dump`
  const upload = await aws(s3, ['s3', 'cp', '--only-show-errors', '-', url], bytes)
  assert.deepEqual([upload.code, upload.errors], [0, ''])
  assert.equal(s3.objects().get('backups/shop/none/1.dump')?.size, bytes.length)
  const download = await aws(s3, ['s3', 'cp', '--only-show-errors', url, '-'])
  assert.ok(download.output.equals(bytes), download.errors)
  const args = ['--bucket', s3.bucket, '--max-keys', '1', '--prefix', 'backups/', '--output', 'json']
  const list = await aws(s3, ['s3api', 'list-objects-v2', ...args])
  assert.match(list.output.toString(), /"Size": 20000000/)
}

test('the AWS CLI streams through our store over TLS', { skip }, async () => {
  await using s3 = await startS3({ tls: true })
  await roundTrip(s3)
})
