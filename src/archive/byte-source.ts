import { ArchiveError } from './archive-error.ts'

/** Bytes of an integer on the wire: a sign byte, then four bytes, least significant first. */
export const INT_SIZE = 5

/** Longer strings are taken for corruption: far above any SQL statement, far below what would exhaust memory. */
export const MAX_STRING_BYTES = 64 * 1024 * 1024

const EMPTY = Buffer.alloc(0)

/** A string of the archive in the encoding of its database, or null. Kept as bytes, because it must be written as it was read. */
export type Bytes = Buffer | null

/** Reads a stream of buffers as bytes, integers and strings. Holds at most one buffer of the stream. */
export class ByteSource {
  private readonly source: AsyncIterator<Buffer>
  private window: Buffer = EMPTY
  private at = 0
  private passed = 0

  constructor(source: AsyncIterable<Buffer>) {
    this.source = source[Symbol.asyncIterator]()
  }

  /** Bytes consumed so far. */
  get offset(): number {
    return this.passed + this.at
  }

  /** Waits until `count` bytes can be peeked at together; false if the stream ends before. They are all kept in memory. */
  async fill(count: number): Promise<boolean> {
    let missing = count - (this.window.length - this.at)
    if (missing <= 0) return true
    const parts = this.at < this.window.length ? [this.window.subarray(this.at)] : []
    while (missing > 0) {
      const { done, value } = await this.source.next()
      if (done) break
      parts.push(value)
      missing -= value.length
    }
    this.passed += this.at
    this.window = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
    this.at = 0
    return missing <= 0
  }

  /** As `fill`, but the end of the stream is an error that names `what`. */
  async need(count: number, what: string): Promise<void> {
    if (await this.fill(count)) return
    throw new ArchiveError(`the archive ends inside ${what}`, this.passed + this.window.length)
  }

  /** The bytes that are already in memory, at most `limit`, without consuming them. */
  peek(limit: number): Buffer {
    return this.window.subarray(this.at, this.at + limit)
  }

  /** Consumes bytes that were peeked at. */
  skip(count: number): void {
    this.at += count
  }

  async take(count: number, what: string): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let missing = count; missing > 0; ) {
      await this.need(1, what)
      const part = this.peek(missing)
      parts.push(part)
      this.skip(part.length)
      missing -= part.length
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  async byte(what: string): Promise<number> {
    await this.need(1, what)
    return this.window[this.at++]!
  }

  async int(what: string): Promise<number> {
    await this.need(INT_SIZE, what)
    const sign = this.window[this.at]!
    const value = this.window.readUInt32LE(this.at + 1)
    if (sign > 1) throw new ArchiveError(`${what} has the impossible sign byte ${sign}`, this.offset)
    this.at += INT_SIZE
    return sign === 1 ? -value : value
  }

  async string(what: string): Promise<Bytes> {
    const start = this.offset
    const length = await this.int(what)
    if (length < 0) return null
    if (length > MAX_STRING_BYTES)
      throw new ArchiveError(`${what} has the impossible length ${length}`, start)
    return this.take(length, what)
  }

  /** The rest of the stream, unparsed. */
  async *rest(): AsyncGenerator<Buffer> {
    while (await this.fill(1)) {
      yield this.peek(Number.POSITIVE_INFINITY)
      this.at = this.window.length
    }
  }

  /** Closes the stream, even before its end. */
  async close(): Promise<void> {
    await this.source.return?.()
  }
}

/** An integer in the format of the archive (WriteInt in pg_backup_archiver.c, with four-byte integers). */
export function intBytes(value: number): Buffer {
  const bytes = Buffer.alloc(INT_SIZE)
  bytes[0] = value < 0 ? 1 : 0
  bytes.writeUInt32LE(Math.abs(value), 1)
  return bytes
}

/** A string in the format of the archive (WriteStr in pg_backup_archiver.c): its length, or -1 for null, then its bytes. */
export function stringBytes(value: Bytes): Buffer[] {
  return value === null ? [intBytes(-1)] : [intBytes(value.length), value]
}
