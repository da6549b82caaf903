import { ArchiveError } from './archive-error.ts'
import { type ByteSource, INT_SIZE } from './byte-source.ts'

/** Maximum bytes of a piece of data, the unit of compression and of writing. */
export const PIECE_SIZE = 1024 * 1024

/** If this much of one chunk is in memory, it becomes a piece without being copied. */
const MIN_UNCOPIED_BYTES = PIECE_SIZE / 4

/** Runs up to this length, with the lengths of their chunks, are read at once. */
const SHORT_BYTES = 16 * 1024

/** Chunks are shorter than this, because the server sends no message of one GiB. */
const MAX_CHUNK_BYTES = 2 ** 30

/** Result of `squeeze`: bytes read, payload bytes kept, and payload bytes of the last chunk that are still to come. */
type Squeezed = { read: number; kept: number; left: number; ended: boolean }

/** Memory for pieces, and the number of pieces in use. */
type Arena = { bytes: Buffer; users: number }

/**
 * Reads runs of chunks: each chunk is a length and that many bytes, and a zero length ends the run (_skipData in
 * pg_backup_custom.c). Without compression, pg_dump writes one chunk per row. Chunks are therefore not returned one by one:
 * their payload is gathered across the ends of chunks.
 */
export class ChunkReader {
  private readonly input: ByteSource
  private arena: Arena = { bytes: Buffer.alloc(0), users: 0 }
  private free = 0
  private readonly idle: Arena[] = []
  private readonly scratch = Buffer.allocUnsafeSlow(SHORT_BYTES)
  private readonly arenas = new WeakMap<ArrayBufferLike, Arena>()

  constructor(input: ByteSource) {
    this.input = input
  }

  /** Returns the payload of the run in pieces up to PIECE_SIZE. `left` bytes of a chunk that was already begun come first. */
  async *run(what: string, left = 0): AsyncGenerator<Buffer> {
    let state: Squeezed = { read: 0, kept: 0, left, ended: false }
    while (!state.ended) {
      // A length may end what is in memory, and its chunk be the next buffer.
      if (state.left > 0) await this.input.need(1, what)
      const whole = this.input.peek(Math.min(state.left, PIECE_SIZE))
      if (whole.length >= MIN_UNCOPIED_BYTES) {
        this.input.skip(whole.length)
        state = { ...state, left: state.left - whole.length }
        yield whole
        continue
      }
      this.renewArena()
      const { arena, free: start } = this
      const { bytes } = arena
      let end = start
      while (!state.ended && bytes.length - end >= INT_SIZE) {
        await this.input.need(state.left > 0 ? 1 : INT_SIZE, what)
        const window = this.input.peek(bytes.length - end)
        bytes.set(window, end)
        state = squeeze(bytes, end, end + window.length, state.left, this.input.offset)
        this.input.skip(state.read)
        end += state.kept
      }
      this.free = (end + 3) & ~3
      if (end === start) continue
      arena.users++
      yield bytes.subarray(start, end)
    }
  }

  /**
   * Returns what `decode` makes of the payload of the run, if all of it is in memory and short. Otherwise, and if `decode`
   * returns null, it returns null and consumes nothing. Most tables and large objects are short, and this way they need no
   * promise and no stream. The payload is valid until the next call.
   */
  short(decode: (payload: Buffer) => Buffer | null): Buffer | null {
    const window = this.input.peek(SHORT_BYTES)
    this.scratch.set(window)
    const { read, kept, ended } = squeeze(this.scratch, 0, window.length, 0, this.input.offset)
    const decoded = ended ? decode(this.scratch.subarray(0, kept)) : null
    if (decoded) this.input.skip(read)
    return decoded
  }

  /** As `stored`, but only if all of it is in memory and short, else null; then nothing is consumed. */
  shortStored(): Buffer | null {
    const window = this.input.peek(SHORT_BYTES)
    const { read, ended } = measure(window, this.input.offset)
    if (!ended) return null
    this.input.skip(read)
    return window.subarray(0, read)
  }

  /** Returns the run as it is stored, with the lengths of its chunks. */
  async *stored(what: string): AsyncGenerator<Buffer> {
    for (let ended = false; !ended; ) {
      await this.input.need(INT_SIZE, what)
      const window = this.input.peek(Number.POSITIVE_INFINITY)
      const { read, left, ended: last } = measure(window, this.input.offset)
      if (read > 0) {
        this.input.skip(read)
        yield window.subarray(0, read)
      }
      ended = last
      for (let missing = left; missing > 0; ) {
        await this.input.need(1, what)
        const part = this.input.peek(missing)
        this.input.skip(part.length)
        missing -= part.length
        yield part
      }
    }
  }

  /** Gives the memory of a piece back for reuse, which saves garbage collection. Calling it is optional. */
  release(piece: Buffer): void {
    const arena = this.arenas.get(piece.buffer)
    if (!arena) return
    arena.users--
    if (arena.users === 0 && arena !== this.arena) this.idle.push(arena)
  }

  /** Returns the length of the next chunk, 0 at the end of the run. */
  async length(what: string): Promise<number> {
    await this.input.need(INT_SIZE, what)
    const length = chunkLength(this.input.peek(INT_SIZE), 0, this.input.offset)
    this.input.skip(INT_SIZE)
    return length
  }

  /** Small runs share an arena. A full arena is left to the readers of its pieces. */
  private renewArena(): void {
    if (this.arena.bytes.length - this.free >= PIECE_SIZE / 2) return
    this.free = 0
    if (this.arena.users === 0 && this.arena.bytes.length > 0) return
    this.arena = this.idle.pop() ?? { bytes: Buffer.allocUnsafeSlow(PIECE_SIZE), users: 0 }
    this.arenas.set(this.arena.bytes.buffer, this.arena)
  }
}

/**
 * Moves the payload of the chunks in `bytes[from, to)` together at `from`, in place: copyWithin is the fastest way in V8 to
 * copy thirty bytes. Stops at an incomplete length. `offset` is the position of `from` in the archive.
 */
function squeeze(bytes: Buffer, from: number, to: number, left: number, offset: number): Squeezed {
  let at = from
  let end = from
  let missing = left
  for (;;) {
    const count = Math.min(missing, to - at)
    if (at !== end) bytes.copyWithin(end, at, at + count)
    at += count
    end += count
    missing -= count
    const done = missing > 0 || to - at < INT_SIZE
    if (!done) {
      missing = chunkLength(bytes, at, offset + at - from)
      at += INT_SIZE
    }
    if (done || missing === 0) return { read: at - from, kept: end - from, left: missing, ended: !done }
  }
}

/**
 * Measures the chunks at the start of `bytes`: `read` counts those bytes that belong to them, and `left` those of the last
 * one that are still to come. Stops at an incomplete length.
 */
function measure(bytes: Buffer, offset: number): Pick<Squeezed, 'read' | 'left' | 'ended'> {
  let at = 0
  while (bytes.length - at >= INT_SIZE) {
    const length = chunkLength(bytes, at, offset + at)
    at += INT_SIZE
    if (length === 0) return { read: at, left: 0, ended: true }
    if (length > bytes.length - at)
      return { read: bytes.length, left: length - (bytes.length - at), ended: false }
    at += length
  }
  return { read: at, left: 0, ended: false }
}

function chunkLength(bytes: Buffer, at: number, offset: number): number {
  const length = bytes[at + 1]! | (bytes[at + 2]! << 8) | (bytes[at + 3]! << 16) | (bytes[at + 4]! << 24)
  if (bytes[at] !== 0 || length < 0 || length >= MAX_CHUNK_BYTES) {
    throw new ArchiveError(
      `a data chunk has an impossible length (${bytes.toString('hex', at, at + INT_SIZE)})`,
      offset,
    )
  }
  return length
}
