const SLAB_BYTES = 64 * 1024

/** Some bytes of a buffer. */
export type Slice = { slab: Buffer; start: number; end: number }

/**
 * Keeps many small pieces of bytes in a few buffers. A buffer for each piece would take more memory than most pieces, and a
 * part of the buffer in which it arrived would keep all of that buffer.
 */
export class Slabs {
  #slab = Buffer.alloc(0)
  #used = 0

  /** Copies bytes to where they stay. */
  keep({ slab, start, end }: Slice): Slice {
    const length = end - start
    if (length > this.#slab.length - this.#used) {
      this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, length))
      this.#used = 0
    }
    const at = this.#used
    this.#used += slab.copy(this.#slab, at, start, end)
    return { slab: this.#slab, start: at, end: this.#used }
  }
}
