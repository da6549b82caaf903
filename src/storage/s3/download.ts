import { addAbortListener } from 'node:events'
import { noteGroup } from '../../leftovers.ts'
import { endChild, succeeded } from '../../process/child.ts'
import type { Source } from '../../process/transfer.ts'
import { isAbsent } from './find-objects.ts'
import type { S3Options } from './s3-options.ts'

/**
 * Starts the download of an object.
 *
 * @param options.quiet whether the log does not show what the AWS CLI says
 */
export function download(options: S3Options, key: string, { quiet = false } = {}): Promise<Source> {
  return options.aws.begin(
    () => start(options, key, quiet),
    (source) => source.abort(),
  )
}

function start({ aws, bucket, prefix }: S3Options, key: string, quiet: boolean): Source {
  const args = ['s3', 'cp', `s3://${bucket}/${prefix}${key}`, '-', '--only-show-errors']
  const child = aws.start(args, { stdin: 'none', quiet })
  void child.exited.then(noteGroup(child))
  // This listener stays: when a child exits, Node discards output that has no listener, and nothing may be reading yet.
  child.stdout.on('readable', () => undefined)
  return {
    stream: child.stdout,
    finish: async () => {
      const exit = await child.exited
      if (!succeeded(exit)) throw aws.failure(child, exit, 's3 cp (download)')
    },
    // Unlike an upload, a download may be ended by SIGTERM at any moment; SIGINT can hang while the reader is blocked.
    abort: () =>
      endChild(child, ['SIGTERM', 'SIGKILL'], 1000)
        .then(() => child.stdout.destroy())
        .then(() => undefined),
  }
}

/** Returns the first bytes of an object, and ends the download there; null when the object does not exist. */
export async function readBeginning(options: S3Options, key: string, bytes: number): Promise<Buffer | null> {
  const { signal } = options.aws
  signal.throwIfAborted()
  const source = await download(options, key, { quiet: true })
  using _ = addAbortListener(signal, () => void source.abort())
  try {
    const beginning = await take(source.stream, bytes)
    if (beginning.length < bytes) await source.finish()
    return beginning
  } catch (error) {
    signal.throwIfAborted()
    if (await isAbsent(options, key, error)) return null
    throw error
  } finally {
    await source.abort()
  }
}

/** Reads at most the given number of bytes from a stream, and destroys it. */
async function take(stream: AsyncIterable<Buffer>, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= bytes) break
  }
  return Buffer.concat(chunks).subarray(0, bytes)
}
