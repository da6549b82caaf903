/**
 * Reads a stream in chunks of a given size. Unlike `ByteSource`, it returns a chunk in the pieces in which it arrived, because
 * a cipher takes them one by one and joining them would take as long as encrypting them.
 */
export class Pieces {
  readonly #source: AsyncIterator<Buffer>
  #held: Buffer[] = []
  #bytes = 0

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** How many bytes are in memory. */
  get bytes(): number {
    return this.#bytes
  }

  /** Waits until this many bytes are in memory; false if the stream ends before. */
  async fill(count: number): Promise<boolean> {
    while (this.#bytes < count) {
      const { done, value } = await this.#source.next()
      if (done) return false
      this.#held.push(value)
      this.#bytes += value.length
    }
    return true
  }

  /** Returns what is in memory, without taking it. */
  peek(): Buffer {
    this.#held = [Buffer.concat(this.#held)]
    return this.#held[0]!
  }

  /** Takes bytes that are in memory, and fewer if there are fewer. */
  take(count: number): Buffer[] {
    const taken: Buffer[] = []
    let missing = Math.min(count, this.#bytes)
    this.#bytes -= missing
    while (missing > 0) {
      const [first] = this.#held as [Buffer]
      taken.push(first.subarray(0, missing))
      if (first.length <= missing) this.#held.shift()
      else this.#held[0] = first.subarray(missing)
      missing -= taken.at(-1)!.length
    }
    return taken
  }

  /** Closes the stream, even before its end. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }
}
