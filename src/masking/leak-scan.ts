import { findEmails } from './leak-emails.ts'
import { findJwts } from './leak-jwts.ts'
import { findNumbers } from './leak-numbers.ts'
import { ValueReader } from './leak-values.ts'
import { AFTER, BEFORE, embedsAscii, LEAK_KINDS, type LeakKind, type LeakWindow } from './leak-window.ts'

/** A column in the order of the rows. `scanned` are text and JSON columns that are kept and not allowed. */
export type ScannedColumn = { name: string; scanned: boolean }

/** How many values of a column contain something of this kind. */
export type Leak = { column: string; kind: LeakKind; count: number }

const NEWLINE = 0x0a
const WINDOW = 64 * 1024
const FULL = BEFORE + WINDOW + AFTER

/**
 * Counts the values in the COPY text of one table that look like personal data, by column. Every pattern is ASCII, so the text
 * is searched as bytes, in windows of a fixed size; neither a value nor a part of one is in the result.
 */
export class LeakScan {
  private readonly columns: readonly ScannedColumn[]
  private readonly values: ValueReader
  private readonly counts: Float64Array
  /** The value that was counted last, by column and kind: a value counts once for each kind. */
  private readonly counted: Float64Array
  private readonly window: LeakWindow
  private filled = BEFORE

  /** @param encoding is the encoding of the text, by PostgreSQL's name */
  constructor(columns: readonly ScannedColumn[], encoding: string) {
    this.columns = columns
    this.counts = new Float64Array(columns.length * LEAK_KINDS.length)
    this.counted = new Float64Array(columns.length * LEAK_KINDS.length).fill(-1)
    this.values = new ValueReader(
      columns.map(({ scanned }) => scanned),
      WINDOW + AFTER,
    )
    // Newlines around the text end every pattern.
    const bytes = Buffer.alloc(FULL + AFTER, NEWLINE)
    const place = { from: BEFORE, to: BEFORE + WINDOW }
    this.window = { bytes, ...place, values: this.values, embedsAscii: embedsAscii(encoding) }
  }

  /** Takes the next bytes of the text, cut anywhere. */
  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const taken = bytes.copy(this.window.bytes, this.filled, at, at + FULL - this.filled)
      at += taken
      this.filled += taken
      if (this.filled === FULL) this.advance()
    }
  }

  /** Returns what was found, once all bytes were added. */
  end(): Leak[] {
    this.window.bytes.fill(NEWLINE, this.filled, FULL)
    this.window.to = this.filled
    this.search()
    return this.columns.flatMap(({ name }, column) =>
      LEAK_KINDS.flatMap((kind, index) => {
        const count = this.counts[column * LEAK_KINDS.length + index]!
        return count > 0 ? [{ column: name, kind, count }] : []
      }),
    )
  }

  private advance(): void {
    this.search()
    this.window.bytes.copyWithin(0, WINDOW, FULL)
    this.filled -= WINDOW
  }

  private search(): void {
    const { bytes, from, to } = this.window
    this.values.read(bytes, from, to)
    const found = (kind: LeakKind, value: number) => this.count(kind, value)
    for (const find of [findEmails, findNumbers, findJwts]) find(this.window, found)
  }

  private count(kind: LeakKind, value: number): void {
    const index = this.values.columns[value]! * LEAK_KINDS.length + LEAK_KINDS.indexOf(kind)
    const ordinal = this.values.first + value
    if (this.counted[index] === ordinal) return
    this.counted[index] = ordinal
    this.counts[index]! += 1
  }
}
