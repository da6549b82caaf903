import { pipeline, type Transform } from 'node:stream'
import { promisify } from 'node:util'
import {
  createInflate,
  createZstdDecompress,
  type Inflate,
  inflateSync,
  zstdDecompress,
  zstdDecompressSync,
} from 'node:zlib'
import { messageOf } from '../errors.ts'
import { ArchiveError } from './archive-error.ts'
import type { ByteSource } from './byte-source.ts'
import { type ChunkReader, PIECE_SIZE } from './chunks.ts'
import type { Algorithm } from './header.ts'
import { ordered, type Task } from './ordered.ts'
import { wholeFrameSize } from './zstd.ts'

/** Chunks up to this length are checked for being one whole frame. */
const MAX_FRAME_BYTES = 2 * PIECE_SIZE

type Inflated = { buffer: Buffer; engine: Inflate & { bytesWritten: number } }

/** Smallest buffer into which a stream is decompressed. */
const MIN_OUTPUT_BYTES = 64 * 1024

const decompressZstd = promisify(zstdDecompress)

/** The source of an archive's data. Up to `jobs` independent chunks are decompressed at the same time. */
export type DataSource = { input: ByteSource; chunks: ChunkReader; algorithm: Algorithm; jobs: number }

/** Returns the next run of data in decompressed pieces. */
export function decodeRun(source: DataSource, what: string): AsyncGenerator<Buffer> {
  // Since version 16, pg_dump writes no stream for a run without data; decodeStream accepts that.
  if (source.algorithm === 'gzip') return decodeStream(source, source.chunks.run(what), createInflate, what)
  if (source.algorithm === 'zstd') return decodeZstd(source, what)
  return source.chunks.run(what)
}

/**
 * Returns the content of a short run whose whole payload is known; null if that takes a stream, or if it is damaged, which
 * `decodeRun` explains.
 */
export function decodeShort(payload: Buffer, algorithm: Algorithm): Buffer | null {
  // A run without data has no stream.
  if (algorithm === 'none' || payload.length === 0) return payload
  try {
    return algorithm === 'gzip' ? inflateWhole(payload) : unpackFrame(payload)
  } catch {
    return null
  }
}

function inflateWhole(stream: Buffer): Buffer | null {
  const options = { info: true, chunkSize: stream.length * 4 + 1024, maxOutputLength: PIECE_SIZE }
  // With `info`, the types of Node do not know what is returned.
  const { buffer, engine } = inflateSync(stream, options) as unknown as Inflated
  return engine.bytesWritten === stream.length ? buffer : null
}

function unpackFrame(frame: Buffer): Buffer | null {
  const size = pieceSize(frame)
  if (size === null) return null
  return zstdDecompressSync(frame, { chunkSize: Math.max(size, 64), maxOutputLength: MAX_FRAME_BYTES })
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
