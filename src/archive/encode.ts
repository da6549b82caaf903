import type { DuplexOptions } from 'node:stream'
import { promisify } from 'node:util'
import {
  constants,
  createZstdCompress,
  deflateRaw,
  deflateSync,
  type ZlibOptions,
  type ZstdCompress,
  type ZstdOptions,
  zstdCompressSync,
} from 'node:zlib'
import { intBytes } from './byte-source.ts'

/** `level` is that of zstd (up to 22) or gzip (1 to 9); without it, the default of this action is used. */
export type Compression = { method: 'none' | 'gzip' | 'zstd'; level?: number | undefined }

/**
 * The fastest levels that store less than `pg_dump -Fc`, measured with the data of the benchmark and of the demo. Rows of
 * text in pieces of 1 MiB gain nothing from zstd's default, 3, which takes twice as long as 1.
 */
const DEFAULT_LEVEL = { gzip: 5, zstd: 1 }

/**
 * Compresses one run of data (of a table or a large object) into chunks. The buffers of `piece` follow those of the
 * previous piece; those of `end` end the run. Several pieces can be compressed at the same time.
 */
type RunEncoder = {
  piece(raw: Buffer): Buffer[] | Promise<Buffer[]>
  end(): Buffer[]
}

/** Compresses the runs of an archive. */
export type Encoder = {
  open(): RunEncoder
  /** Returns a short run that is known whole. It is compressed at once, because a thread would cost more. */
  whole(raw: Buffer): Buffer[]
}

/** A chunk of length 0, which ends a run. */
export const END_OF_RUN = intBytes(0)

/** Compressed pieces are rarely larger. One that does not fit costs another round trip to a thread. */
const OUTPUT_BUFFER_BYTES = 512 * 1024

/** The smallest window that zlib can write (deflateInit2 in zlib.h). */
const MIN_WINDOW_BITS = 9

const compressRaw = promisify(deflateRaw)

/** Returns the encoder of an archive with this compression. */
export function encoderOf({ method, level }: Compression): Encoder {
  if (method === 'gzip') return gzipEncoder(level ?? DEFAULT_LEVEL.gzip)
  if (method === 'zstd') return zstdEncoder(level ?? DEFAULT_LEVEL.zstd)
  return { open: () => PLAIN_RUN, whole: (raw) => wholeRun(Buffer.from(raw)) }
}

/** Returns a chunk with this content, preceded by its length. */
export function chunk(...parts: Buffer[]): Buffer[] {
  return [intBytes(parts.reduce((sum, part) => sum + part.length, 0)), ...parts]
}

const PLAIN_RUN: RunEncoder = { piece: (raw) => chunk(raw), end: () => [END_OF_RUN] }

/** Returns a run of one chunk, or of none if there is nothing to put into it. */
function wholeRun(content: Buffer): Buffer[] {
  return content.length === 0 ? [END_OF_RUN] : [...chunk(content), END_OF_RUN]
}

/**
 * Each chunk is a whole frame that declares its size: this action decompresses several at the same time, and pg_restore
 * reads them one by one.
 */
function zstdEncoder(level: number): Encoder {
  const compressor = new FrameCompressor(level)
  const run: RunEncoder = {
    piece: async (raw) => chunk(await compressor.frame(raw)),
    end: () => [END_OF_RUN],
  }
  const params = { [constants.ZSTD_c_compressionLevel]: level }
  const frame = (raw: Buffer) => zstdCompressSync(raw, { params, chunkSize: raw.length + 1024 })
  return { open: () => run, whole: (raw) => wholeRun(raw.length === 0 ? raw : frame(raw)) }
}

/** Makes frames, several at the same time. Contexts are reused, because each takes a megabyte and some time to create. */
class FrameCompressor {
  private readonly level: number
  private readonly idle: ZstdCompress[] = []

  constructor(level: number) {
    this.level = level
  }

  async frame(raw: Buffer): Promise<Buffer> {
    const stream = this.idle.pop() ?? this.open()
    await new Promise<void>((resolve, reject) => {
      stream.write(raw, (error) => (error ? reject(error) : resolve()))
    })
    const parts: Buffer[] = []
    for (let part = stream.read(); part !== null; part = stream.read()) parts.push(part)
    this.idle.push(stream)
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  /** Each write becomes a whole frame, which declares its size because all its data comes at once (ZSTD_compressStream2 in zstd.h). */
  private open(): ZstdCompress {
    const options: ZstdOptions & Pick<DuplexOptions, 'readableHighWaterMark'> = {
      chunkSize: OUTPUT_BUFFER_BYTES,
      flush: constants.ZSTD_e_end,
      params: { [constants.ZSTD_c_compressionLevel]: this.level },
      // The stream must hold a whole frame until it is read.
      readableHighWaterMark: Number.MAX_SAFE_INTEGER,
    }
    const stream = createZstdCompress(options)
    stream.on('error', () => undefined) // the callback of `write` reports it
    return stream
  }
}

function gzipEncoder(level: number): Encoder {
  // Before version 16, pg_restore expects a stream even for an entry without data.
  const stream = (raw: Buffer) => deflateSync(raw, { level, ...memoryFor(raw) })
  return { open: () => new GzipRun(level), whole: (raw) => wholeRun(stream(raw)) }
}

/**
 * A run is one zlib stream (RFC 1950), because pg_restore stops at the end of the first. Its pieces are deflated separately
 * and end with a sync flush on a byte boundary, so that they can be concatenated; an empty last block ends the stream.
 */
class GzipRun implements RunEncoder {
  private readonly level: number
  private readonly checksum = new Adler32()
  private begun = false

  constructor(level: number) {
    this.level = level
  }

  async piece(raw: Buffer): Promise<Buffer[]> {
    const head = this.head()
    this.checksum.add(raw)
    const options = { level: this.level, finishFlush: constants.Z_SYNC_FLUSH, chunkSize: OUTPUT_BUFFER_BYTES }
    return chunk(...head, await compressRaw(raw, options))
  }

  end(): Buffer[] {
    return [...chunk(...this.head(), Buffer.from([0x03, 0x00]), this.checksum.digest()), END_OF_RUN]
  }

  /** The two bytes that begin a zlib stream, the first time; nothing after that. */
  private head(): Buffer[] {
    if (this.begun) return []
    this.begun = true
    return [Buffer.from([0x78, 0x9c])]
  }
}

/** Options that allocate no more than this small input needs. The default takes 800 kB, which the garbage collector must find. */
function memoryFor({ length }: Buffer): ZlibOptions {
  const bits = Math.ceil(Math.log2(length + 1))
  return {
    windowBits: Math.max(MIN_WINDOW_BITS, bits),
    memLevel: Math.max(1, Math.min(8, bits - 6)),
    chunkSize: length + 1024,
  }
}

/** The checksum at the end of a zlib stream, which Node does not offer. */
class Adler32 {
  private a = 1
  private b = 0

  add(bytes: Buffer): void {
    let { a, b } = this
    for (let at = 0; at < bytes.length; ) {
      // After 5552 bytes, b could exceed 32 bits.
      const stop = Math.min(at + 5552, bytes.length)
      // Four at a time, because this runs over every byte on the main thread.
      for (; at + 4 <= stop; at += 4) {
        const first = a + bytes[at]!
        const second = first + bytes[at + 1]!
        const third = second + bytes[at + 2]!
        a = third + bytes[at + 3]!
        b += first + second + third + a
      }
      for (; at < stop; at++) {
        a += bytes[at]!
        b += a
      }
      a %= 65521
      b %= 65521
    }
    this.a = a
    this.b = b
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt16BE(this.b, 0)
    bytes.writeUInt16BE(this.a, 2)
    return bytes
  }
}
