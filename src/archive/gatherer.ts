/** Smaller buffers are joined, because each would cost a write, and a wake-up of the reader, of its own. */
const MIN_WRITE_BYTES = 64 * 1024

/** Joins small buffers into larger ones. The data of most tables and large objects is far smaller than a worthwhile write. */
export class Gatherer {
  private block = Buffer.alloc(0)
  private held = 0

  /** Takes buffers, and returns what is due to be written. The rest follows with later buffers, or with `rest`. */
  add(buffers: readonly Buffer[]): Buffer[] {
    const due: Buffer[] = []
    for (const buffer of buffers) {
      const isLarge = buffer.length >= MIN_WRITE_BYTES
      if (isLarge || this.held + buffer.length > this.block.length) due.push(...this.rest())
      if (isLarge) due.push(buffer)
      else this.hold(buffer)
    }
    return due
  }

  /** Returns what is still held, in at most one buffer. */
  rest(): Buffer[] {
    if (this.held === 0) return []
    const held = this.block.subarray(0, this.held)
    this.block = this.block.subarray(this.held)
    this.held = 0
    return [held]
  }

  private hold(buffer: Buffer): void {
    if (this.block.length < buffer.length) this.block = Buffer.allocUnsafeSlow(2 * MIN_WRITE_BYTES)
    this.block.set(buffer, this.held)
    this.held += buffer.length
  }
}
