import { pipeline, type Transform } from 'node:stream'
import { promisify } from 'node:util'
import { createInflate, createZstdDecompress, type Inflate, inflateSync, zstdDecompress } from 'node:zlib'
import { messageOf } from '../errors.ts'
import { ArchiveError } from './archive-error.ts'
import type { ByteSource } from './byte-source.ts'
import { type ChunkReader, PIECE_SIZE } from './chunks.ts'
import type { Algorithm } from './header.ts'
import { ordered, type Task } from './ordered.ts'
import { wholeFrameSize } from './zstd.ts'

/** Chunks up to this length are checked for being one whole frame. */
const MAX_FRAME_BYTES = 2 * PIECE_SIZE

/** Compressed runs up to this length are decompressed at once. */
const MAX_WHOLE_BYTES = 16 * 1024

type Inflated = { buffer: Buffer; engine: Inflate & { bytesWritten: number } }

/** Smallest buffer into which a stream is decompressed. */
const MIN_OUTPUT_BYTES = 64 * 1024

const decompressZstd = promisify(zstdDecompress)

/** The source of an archive's data. Up to `jobs` independent chunks are decompressed at the same time. */
export type DataSource = { input: ByteSource; chunks: ChunkReader; algorithm: Algorithm; jobs: number }

/** Returns the next run of data in decompressed pieces. lz4, which Node does not support, stays compressed. */
export function decodeRun(source: DataSource, what: string): AsyncGenerator<Buffer> {
  if (source.algorithm === 'gzip') return decodeGzip(source, what)
  if (source.algorithm === 'zstd') return decodeZstd(source, what)
  return source.chunks.run(what)
}

/** Most runs of a database with many tables, or large objects, are small, and a stream for each would cost more than its data. */
async function* decodeGzip(source: DataSource, what: string): AsyncGenerator<Buffer> {
  const pieces = source.chunks.run(what)
  const first = await pieces.next()
  if (first.done) return // pg_dump 16 and later writes no stream if there is no data
  const second = await pieces.next()
  const whole = second.done ? inflateWhole(first.value) : null
  if (whole) yield whole
  else {
    const all = second.done ? [first.value] : [first.value, second.value]
    yield* decodeStream(source, after(all, pieces), createInflate, what)
  }
}

/** Returns the content of a small and sound stream; null for any other, of which decodeStream knows what is wrong. */
function inflateWhole(stream: Buffer): Buffer | null {
  if (stream.length > MAX_WHOLE_BYTES) return null
  const options = { info: true, chunkSize: stream.length * 4 + 1024, maxOutputLength: PIECE_SIZE }
  try {
    // With `info`, the types of Node do not know what is returned.
    const { buffer, engine } = inflateSync(stream, options) as unknown as Inflated
    return engine.bytesWritten === stream.length ? buffer : null
  } catch {
    return null
  }
}

/** pg_dump compresses a run as one stream across its chunks; this action makes each chunk a frame of known size. */
async function* decodeZstd(source: DataSource, what: string): AsyncGenerator<Buffer> {
  const { chunks, input } = source
  const length = await chunks.length(what)
  if (length === 0) return
  if (length > MAX_FRAME_BYTES) {
    yield* decodeStream(source, chunks.run(what, length), createZstdDecompress, what)
    return
  }
  const first = await input.take(length, what)
  if (pieceSize(first) !== null) yield* ordered(frames(source, first, what), source.jobs)
  else yield* decodeStream(source, after([first], chunks.run(what)), createZstdDecompress, what)
}

async function* frames(
  { chunks, input }: DataSource,
  first: Buffer,
  what: string,
): AsyncGenerator<Task<Buffer>> {
  for (let frame = first; ; ) {
    const at = input.offset
    const size = pieceSize(frame)
    if (size === null) throw new ArchiveError(`${what} has a chunk that is not a zstd frame`, at)
    const decompressed = decompressZstd(frame, {
      chunkSize: Math.max(size, 64),
      maxOutputLength: MAX_FRAME_BYTES,
    })
    yield { result: decompressed.catch((error) => fail(error, what, at)) }
    const length = await chunks.length(what)
    if (length === 0) return
    if (length > MAX_FRAME_BYTES)
      throw new ArchiveError(`${what} has a chunk of ${length} bytes between frames`, at)
    frame = await input.take(length, what)
  }
}

/** Returns the size of a chunk that is a frame small enough to be decompressed at once, else null. */
function pieceSize(chunk: Buffer): number | null {
  const size = wholeFrameSize(chunk)
  return size !== null && size <= MAX_FRAME_BYTES ? size : null
}

async function* decodeStream(
  { input }: DataSource,
  compressed: AsyncGenerator<Buffer>,
  create: (options: { chunkSize: number }) => Transform & { bytesWritten: number },
  what: string,
): AsyncGenerator<Buffer> {
  const first = await compressed.next()
  if (first.done) return
  const engine = create({
    chunkSize: Math.min(Math.max(first.value.length * 4, MIN_OUTPUT_BYTES), PIECE_SIZE),
  })
  let fed = 0
  let drained = false
  const slices = async function* (): AsyncGenerator<Buffer> {
    for await (const slice of after([first.value], compressed)) {
      fed += slice.length
      yield slice
    }
    drained = true
  }
  try {
    yield* pipeline(slices, engine, () => {}) as AsyncIterable<Buffer>
  } catch (error) {
    fail(error, what, input.offset)
  }
  if (!drained || engine.bytesWritten !== fed) {
    throw new ArchiveError(`${what} goes on after the end of its compressed stream`, input.offset)
  }
}

async function* after(first: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* first
  yield* rest
}

function fail(error: unknown, what: string, offset: number): never {
  if (error instanceof ArchiveError) throw error
  throw new ArchiveError(`${what} cannot be decompressed: ${messageOf(error)}`, offset, {
    cause: error,
  })
}
