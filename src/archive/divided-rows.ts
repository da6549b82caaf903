import { chunk, END_OF_RUN } from './encode.ts'
import type { Lane } from './lane.ts'
import { rowBoundary, TERMINATOR } from './rows.ts'

/**
 * Shares the rows of one table among several lanes. Each lane receives a complete block of data for the table. Rows go to
 * the lane that has the least buffered, so a slow reader gets fewer of them; within a lane they keep their order.
 */
export class DividedRows {
  readonly #lanes: readonly Lane[]
  /** The lane that receives the row that has begun, and at last the terminator of pg_dump. */
  #current: Lane

  constructor(lanes: readonly Lane[]) {
    this.#lanes = lanes
    this.#current = lanes[0]!
  }

  /** Begins the block in every lane. */
  async begin(header: readonly Buffer[]): Promise<void> {
    for (const lane of this.#lanes) await lane.put(header)
  }

  /** Adds COPY text, which need not consist of whole rows. */
  async add(piece: Buffer): Promise<void> {
    const boundary = rowBoundary(piece)
    if (boundary > 0) {
      await this.#put(piece.subarray(0, boundary))
      this.#current = this.#lanes.reduce((least, lane) => (lane.buffered < least.buffered ? lane : least))
    }
    await this.#put(piece.subarray(boundary))
  }

  /** Ends the block in every lane. */
  async end(): Promise<void> {
    for (const lane of this.#lanes) {
      if (lane !== this.#current) await lane.put(chunk(TERMINATOR))
      await lane.put([END_OF_RUN])
    }
  }

  async #put(bytes: Buffer): Promise<void> {
    if (bytes.length > 0) await this.#current.put(chunk(bytes))
  }
}
