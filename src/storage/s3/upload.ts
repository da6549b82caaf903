import { totalmem } from 'node:os'
import { Writable } from 'node:stream'
import { messageOf } from '../../errors.ts'
import { notePending } from '../../leftovers.ts'
import { type Child, endChild, succeeded } from '../../process/child.ts'
import type { Sink } from '../../process/transfer.ts'
import { formatBytes } from '../../report/format.ts'
import { log } from '../../report/log.ts'
import { type PartPlan, planParts, uploadMemory } from './plan-parts.ts'
import { type S3Options, serverSideEncryption } from './s3-options.ts'
import { abortUploadsOf } from './unfinished-uploads.ts'

/** Returns the arguments of the upload, without the endpoint. */
export function uploadArguments(
  options: Pick<S3Options, 'storageClass' | 'sse' | 'sseKmsKeyId'>,
  target: string,
  { expectedSize }: PartPlan,
): string[] {
  return [
    ...['s3', 'cp', '-', target, '--only-show-errors', '--expected-size', String(expectedSize)],
    ...(options.storageClass ? ['--storage-class', options.storageClass] : []),
    ...serverSideEncryption(options, ['--sse', '--sse-kms-key-id']),
  ]
}

/** Warns when this machine has too little memory for the upload: the parts of a large dump are large. */
function checkMemory(plan: PartPlan): void {
  const needed = uploadMemory(plan)
  if (needed < totalmem() / 2) return
  log.warning(
    `The AWS CLI needs about ${formatBytes(needed)} of memory for parts of ${formatBytes(plan.partSize)}, and this machine has ${formatBytes(totalmem())}; use a larger runner, or dump less at once`,
  )
}

/** Wraps the input of the CLI with the limit of its parts, because the store's own error would not name the cause. */
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
  // The writer gets the error from its write.
  stream.on('error', () => undefined)
  return stream
}

/** The time in which an interrupted CLI finishes the requests that are under way. */
const INTERRUPT_MS = 300

/** An upload by `aws s3 cp -`, which treats the end of its input as success in every case. */
export class S3Upload implements Sink {
  readonly stream: Writable
  readonly died: Promise<Error>
  /** The AWS CLI takes most of a second to start; pg_dump does not wait for it. */
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

  /**
   * Ends the CLI before its input ends, because at the end of its input it publishes what it has. An interrupt alone may be
   * lost while Python starts, and a CLI that waits for input ends only after a kill; its open upload is ended here then.
   */
  async abort(): Promise<void> {
    await endChild(this.#child, ['SIGINT', 'SIGKILL'], INTERRUPT_MS)
    this.#child.stdin.destroy()
    // An upload that could not be ended stays noted for the post step.
    await abortUploadsOf(this.#options, this.#key).then(
      () => this.#forget(),
      (error) =>
        log.warning(
          `Could not look for unfinished uploads of ${this.#key}: ${messageOf(error)}. Add a lifecycle rule to the bucket that ends them (AbortIncompleteMultipartUpload)`,
        ),
    )
  }
}
