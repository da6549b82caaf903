import type { Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { type Child, endChild, succeeded } from '../process/child.ts'
import { notePending } from '../process/pending.ts'
import type { Sink } from '../process/transfer.ts'
import { log } from '../report/log.ts'
import { type Aws, awsFailure } from './aws.ts'
import { ABANDONED } from './storage.ts'

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

export function serverSideEncryption(
  { sse, sseKmsKeyId }: S3Options,
  [method, keyId]: [string, string],
): string[] {
  return [...(sse ? [method, sse] : []), ...(sseKmsKeyId ? [keyId, sseKmsKeyId] : [])]
}

/** The CLI plans for 10,000 parts (S3's limit) and knows no other: a lower limit is told as a larger size. */
const CLI_PARTS = 10_000
const LARGEST_OBJECT = 5 * 1024 ** 4

/** The arguments of the upload, without the endpoint. `--expected-size` decides the part size; there is no other way. */
export function uploadArguments(
  options: Pick<S3Options, 'storageClass' | 'sse' | 'sseKmsKeyId' | 'maxParts'>,
  target: string,
  expectedBytes: number,
): string[] {
  const size = Math.min(LARGEST_OBJECT, Math.ceil((expectedBytes * CLI_PARTS) / options.maxParts))
  return [
    ...['s3', 'cp', '-', target, '--only-show-errors', '--expected-size', String(size)],
    ...(options.storageClass ? ['--storage-class', options.storageClass] : []),
    ...serverSideEncryption(options as S3Options, ['--sse', '--sse-kms-key-id']),
  ]
}

/** How long after SIGINT the CLI's input is closed: closed at once, it would publish what it has. */
const INTERRUPT_MILLISECONDS = 300

/** An upload by `aws s3 cp -`, which takes the end of its input for success, whatever happened before. */
export class S3Upload implements Sink {
  readonly stream: Writable
  readonly died: Promise<Error>
  readonly #options: S3Options
  readonly #key: string
  readonly #child: Child
  readonly #forget: () => void

  constructor(options: S3Options, key: string, args: string[]) {
    this.#options = options
    this.#key = key
    this.#forget = notePending({ kind: 'upload', key })
    this.#child = options.aws.start(args, { stdin: 'stream' })
    this.stream = this.#child.stdin
    this.died = this.#child.exited.then((exit) => awsFailure(this.#child, exit, 's3 cp (upload)'))
  }

  async commit(): Promise<void> {
    this.#child.stdin.end()
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
