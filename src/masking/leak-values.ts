import type { LeakValues } from './leak-window.ts'

const TAB = 0x09
const NEWLINE = 0x0a

/**
 * Finds the values of some columns in COPY text, which has a tab between values and a newline behind each row. No encoding of
 * PostgreSQL has these two bytes within a character, and COPY escapes them in values. Memory is reused for each window.
 */
export class ValueReader implements LeakValues {
  readonly starts: Int32Array
  readonly ends: Int32Array
  readonly columns: Int32Array
  count = 0
  /** How many values precede the first one in the table. A value that goes on in the next window is its first. */
  first = 0
  private readonly scanned: Uint8Array
  private column = 0
  private isOpen = false

  /**
   * @param scanned says which columns are wanted
   * @param size is the number of bytes in the largest window
   */
  constructor(scanned: readonly boolean[], size: number) {
    this.scanned = Uint8Array.from(scanned, Number)
    // Each value has at least its separator, and the last four bytes may go beyond the end.
    const most = size + 4
    this.starts = new Int32Array(most)
    this.ends = new Int32Array(most)
    this.columns = new Int32Array(most)
  }

  /**
   * Reads the values from `from`, a multiple of four where the last call stopped, to `to`. The first and the last may be parts of a
   * value. Where the text ends, `to` may be any number, and newlines follow it.
   */
  read(bytes: Buffer, from: number, to: number): void {
    this.first += this.count - (this.isOpen ? 1 : 0)
    this.count = 0
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
    const last = (to + 3) >> 2
    let start = from
    for (let at = from >> 2; at < last; at++) {
      for (let marks = controlBytes(words[at]!); marks !== 0; marks &= marks - 1) {
        const end = 4 * at + ((31 - Math.clz32(marks & -marks)) >> 3)
        const byte = bytes[end]
        if (byte !== TAB && byte !== NEWLINE) continue
        this.close(start, end)
        this.column = byte === TAB ? this.column + 1 : 0
        start = end + 1
      }
    }
    const closed = this.count
    if (start < to) this.close(start, to)
    this.isOpen = this.count > closed
  }

  private close(start: number, end: number): void {
    if (this.column >= this.scanned.length) {
      throw new Error(`a row has more than ${this.scanned.length} columns`)
    }
    if (this.scanned[this.column] === 0) return
    this.starts[this.count] = start
    this.ends[this.count] = end
    this.columns[this.count++] = this.column
  }
}

/**
 * Returns the high bits of the bytes below 32 in a little-endian word: subtraction sets them, except where they were set. A byte
 * above one of those may be marked too, because of the borrow.
 */
function controlBytes(word: number): number {
  return (word - 0x20202020) & ~word & 0x80808080
}
