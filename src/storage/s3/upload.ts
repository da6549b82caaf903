import { totalmem } from 'node:os'
import { Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import type { Aws } from '../../aws/cli.ts'
import { notePending } from '../../leftovers.ts'
import { type Child, endChild, succeeded } from '../../process/child.ts'
import type { Sink } from '../../process/transfer.ts'
import { formatBytes } from '../../report/format.ts'
import { log } from '../../report/log.ts'
import { ABANDONED } from '../storage.ts'
import { type PartPlan, planParts, uploadMemory } from './parts.ts'

export type S3Options = {
  aws: Aws
  bucket: string
  /** Empty, or ends with `/`. */
  prefix: string
  storageClass: string
  sse: string
  sseKmsKeyId: string
  /** Multipart limit of the provider. */
  maxParts: number
  /** Whether this AWS CLI has `put-object --if-none-match`. */
  conditionalPut: boolean
  /** For small files; removed by the end of the step. */
  tempDirectory: string
}

/** Arguments for the encryption of an upload, under the names that `s3 cp` or `s3api` have for them. */
export function serverSideEncryption(
  { sse, sseKmsKeyId }: S3Options,
  [method, keyId]: [string, string],
): string[] {
  return [...(sse ? [method, sse] : []), ...(sseKmsKeyId ? [keyId, sseKmsKeyId] : [])]
}

/** The arguments of the upload, without the endpoint. */
export function uploadArguments(
  options: Pick<S3Options, 'storageClass' | 'sse' | 'sseKmsKeyId'>,
  target: string,
  { expectedSize }: PartPlan,
): string[] {
  return [
    ...['s3', 'cp', '-', target, '--only-show-errors', '--expected-size', String(expectedSize)],
    ...(options.storageClass ? ['--storage-class', options.storageClass] : []),
    ...serverSideEncryption(options as S3Options, ['--sse', '--sse-kms-key-id']),
  ]
}

/** Warns of an upload that this machine has too little memory for; the parts of a large dump are large. */
function checkMemory(plan: PartPlan): void {
  const needed = uploadMemory(plan)
  if (needed < totalmem() / 2) return
  log.warning(
    `The AWS CLI needs about ${formatBytes(needed)} of memory for parts of ${formatBytes(plan.partSize)}, and this machine has ${formatBytes(totalmem())}; use a larger runner, or dump less at once`,
  )
}

/** What goes into the upload, up to what its parts hold: beyond that the store would refuse a part, and say little. */
function limited(stdin: Writable, { capacity, partSize }: PartPlan): Writable {
  let written = 0
  const stream = new Writable({
    highWaterMark: 1 << 20,
    write: (chunk: Buffer, _encoding, done) => {
      written += chunk.length
      if (written <= capacity) return void stdin.write(chunk, done)
      const parts = `${capacity / partSize} parts of ${formatBytes(partSize)}`
      done(
        new Error(
          `The dump is larger than the ${formatBytes(capacity)} that its upload can take (${parts}): the database grew, or its rows are much longer as text. Compress the dump, or raise s3-max-parts if the provider takes more parts`,
        ),
      )
    },
    final: (done) => {
      stdin.end()
      done()
    },
  })
  // Who writes hears of it; nobody else needs to.
  stream.on('error', () => undefined)
  return stream
}

/** How long after SIGINT the CLI's input is closed: closed at once, it would publish what it has. */
const INTERRUPT_MILLISECONDS = 300

/** An upload by `aws s3 cp -`, which takes the end of its input for success, whatever happened before. */
export class S3Upload implements Sink {
  readonly stream: Writable
  readonly died: Promise<Error>
  /** The AWS CLI takes most of a second to start, and pg_dump need not wait for it. */
  readonly readAhead = 8 * 1024 * 1024
  readonly #options: S3Options
  readonly #key: string
  readonly #child: Child
  readonly #forget: () => void

  constructor(options: S3Options, key: string, expectedBytes: number) {
    const plan = planParts(expectedBytes, options.maxParts)
    checkMemory(plan)
    this.#options = options
    this.#key = key
    this.#forget = notePending({ kind: 'upload', key })
    const target = `s3://${options.bucket}/${options.prefix}${key}`
    this.#child = options.aws.start(uploadArguments(options, target, plan), { stdin: 'stream' })
    this.stream = limited(this.#child.stdin, plan)
    this.died = this.#child.exited.then((exit) => options.aws.failure(this.#child, exit, 's3 cp (upload)'))
  }

  async commit(): Promise<void> {
    this.stream.end()
    const exit = await this.#child.exited
    if (!succeeded(exit)) throw await this.died
    this.#forget()
  }

  /** Interrupt, then close the input, then look for parts: in any other order the truncated object is published. */
  async abort(): Promise<void> {
    if (this.#child.running) {
      this.#child.kill('SIGINT')
      await Promise.race([this.#child.exited, wait(INTERRUPT_MILLISECONDS)])
    }
    this.#child.stdin.destroy()
    await Promise.race([this.#child.exited, wait(2000, undefined, { ref: false })])
    await endChild(this.#child, ['SIGKILL'], 1000)
    // What could not be ended stays noted, for the post step.
    if (await abortMultipartUploads(this.#options, this.#key)) this.#forget()
  }
}

type OpenUpload = { Key: string; UploadId: string; Initiated: string }

/** Ends the open multipart uploads of exactly this key. A store that cannot list them gets a warning. */
export async function abortMultipartUploads(options: S3Options, key: string): Promise<boolean> {
  const fullKey = options.prefix + key
  try {
    await abortUploads(options, fullKey, (upload) => upload.Key === fullKey)
    return true
  } catch (error) {
    log.warning(
      `Could not look for unfinished uploads of ${key}: ${(error as Error).message}. A lifecycle rule should end them`,
    )
    return false
  }
}

/** Ends the uploads of dumps below our prefix that began so long ago that nobody is at them any more. */
export async function sweepUploads(options: S3Options): Promise<void> {
  await abortUploads(options, options.prefix, ({ Key, Initiated }) => {
    return Key.endsWith('.dump') && Date.now() - Date.parse(Initiated) > ABANDONED
  })
}

async function abortUploads(
  { aws, bucket }: S3Options,
  prefix: string,
  chosen: (upload: OpenUpload) => boolean,
): Promise<void> {
  const evenWhenCancelled = { evenWhenCancelled: true }
  const listing = ['s3api', 'list-multipart-uploads', '--bucket', bucket, '--prefix', prefix]
  const { Uploads = [] } = await aws.json<{ Uploads?: OpenUpload[] }>(listing, evenWhenCancelled)
  for (const { Key, UploadId } of Uploads.filter(chosen)) {
    const target = ['--bucket', bucket, '--key', Key, '--upload-id', UploadId]
    await aws.json(['s3api', 'abort-multipart-upload', ...target], evenWhenCancelled)
    log.info(`Ended the unfinished upload of ${Key}`)
  }
}
