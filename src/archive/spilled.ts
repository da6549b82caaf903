import { createCipheriv, createDecipheriv, type Decipheriv, randomBytes } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

const READ_BYTES = 1024 * 1024

/** Marks the end of a stretch. */
export const END = Symbol('end')

const CIPHER = 'aes-256-ctr'
const KEY_BYTES = 32
/** Each file has a key of its own, so the counter may begin at 0 in all of them. */
const COUNTER = Buffer.alloc(16)

/**
 * Bytes of a lane in a file, with the positions at which stretches end. They are rows, so they are encrypted with a key that
 * only this object has.
 */
export class Spilled {
  length = 0
  /** It is being read, so nothing may be added. */
  sealed = false
  readonly ends: number[] = []
  readonly #file: FileHandle
  readonly #key = randomBytes(KEY_BYTES)
  readonly #cipher = createCipheriv(CIPHER, this.#key, COUNTER)
  #written: Promise<unknown> = Promise.resolve()

  constructor(file: FileHandle) {
    this.#file = file
  }

  async append(buffers: readonly Buffer[]): Promise<void> {
    const at = this.length
    for (const { length } of buffers) this.length += length
    const written = writeAll(this.#file, this.#cipher.update(Buffer.concat(buffers)), at)
    this.#written = written.catch(() => undefined)
    await written
  }

  /** Returns the content, and calls `onRead` when the file has been read to its end. */
  async *drain(onRead: () => void): AsyncGenerator<Buffer | typeof END> {
    this.sealed = true
    await this.#written
    const decipher = createDecipheriv(CIPHER, this.#key, COUNTER)
    try {
      let at = 0
      for (const end of [...this.ends.filter((position) => position < this.length), this.length]) {
        yield* this.#read(at, end, decipher)
        at = end
        if (end < this.length) yield END
      }
      await this.close()
      onRead()
      for (const end of this.ends) if (end === this.length) yield END
    } finally {
      await this.close()
    }
  }

  async *#read(from: number, to: number, decipher: Decipheriv): AsyncGenerator<Buffer> {
    for (let at = from; at < to; ) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, to - at))
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) throw new Error('A temporary file in RUNNER_TEMP was truncated by another program')
      at += bytesRead
      yield decipher.update(buffer.subarray(0, bytesRead))
    }
  }

  async close(): Promise<void> {
    await this.#written
    await this.#file.close().catch(() => undefined)
  }
}

/** Writes everything, because one call of `write` may write less than it is given. */
async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done)
    done += bytesWritten
  }
}
