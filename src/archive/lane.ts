import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { notePending } from '../leftovers.ts'
import { Gatherer } from './gatherer.ts'
import { END, Spilled } from './spilled.ts'

/** Bytes that all lanes together keep in memory before they spill to disk, and the minimum of each lane. */
const MAX_MEMORY_BYTES = 16 * 1024 * 1024
const MIN_LANE_MEMORY_BYTES = 2 * 1024 * 1024

/** A file is removed when it has been read, so several small files free their space sooner than a large one. */
const MAX_FILE_BYTES = 64 * 1024 * 1024

/** Disk space that is left to the runner. */
const RESERVED_DISK_BYTES = 1_000_000_000

/** State that parallel lanes share: disk space, notifications, and the failure that ends them all. */
export class Lanes {
  readonly all: Lane[] = []
  readonly #folder: string
  #free: number
  #failure: { reason: unknown } | null = null
  #waiting: (() => void)[] = []

  private constructor(folder: string, free: number) {
    this.#folder = folder
    this.#free = free
  }

  /** @param folder for spilled data; `maxSpilled`, in bytes, is by default the free disk space minus a reserve */
  static async open(folder: string, maxSpilled?: number): Promise<Lanes> {
    const { bavail, bsize } = await statfs(folder)
    return new Lanes(folder, maxSpilled ?? Math.max(0, bavail * bsize - RESERVED_DISK_BYTES))
  }

  /** Adds a lane. While `maySpill` returns false, its bytes may not go to disk and its writer waits. */
  add(maySpill: (lane: Lane) => boolean): Lane {
    const lane = new Lane(this, maySpill)
    this.all.push(lane)
    return lane
  }

  /** Ends all current and future waiting. The first reason counts. */
  fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.notify()
  }

  get failed(): boolean {
    return this.#failure !== null
  }

  /** @throws the reason given to `fail` */
  check(): void {
    if (this.#failure) throw this.#failure.reason
  }

  /** Wakes everything that waits for `changed`. */
  notify(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** Resolves at the next `notify`. */
  changed(): Promise<void> {
    return new Promise((wake) => this.#waiting.push(wake))
  }

  /** Bytes that each lane may keep in memory. */
  get memory(): number {
    return Math.max(MIN_LANE_MEMORY_BYTES, MAX_MEMORY_BYTES / this.all.length)
  }

  /** Reserves disk space; returns false if there is not enough. */
  reserve(bytes: number): boolean {
    if (bytes > this.#free) return false
    this.#free -= bytes
    return true
  }

  /** Gives disk space back. */
  release(bytes: number): void {
    this.#free += bytes
    this.notify()
  }

  /** Opens a temporary file and unlinks it at once, so that it disappears even if the process is killed. */
  async file(): Promise<FileHandle> {
    const path = join(this.#folder, `pgclone-lane-${randomUUID()}`)
    const forget = notePending({ kind: 'file', path })
    const file = await open(path, 'wx+', 0o600)
    await rm(path)
    forget()
    return file
  }

  /** Discards everything that is still buffered. */
  async close(): Promise<void> {
    this.fail(new Error('the lanes are closed'))
    await Promise.all(this.all.map((lane) => lane.close()))
  }
}

/** A queue of bytes, in stretches that are read one by one, from one writer to one reader: in memory, then on disk, then the writer waits. */
export class Lane {
  readonly #lanes: Lanes
  readonly #maySpill: (lane: Lane) => boolean
  readonly #queue: (Buffer | typeof END | Spilled)[] = []
  readonly #gatherer = new Gatherer()
  #inMemory = 0
  #reading = false
  readonly #items = this.#flatten()

  constructor(lanes: Lanes, maySpill: (lane: Lane) => boolean) {
    this.#lanes = lanes
    this.#maySpill = maySpill
  }

  /** Whether a stretch is currently being read. */
  get reading(): boolean {
    return this.#reading
  }

  /** Whether the reader is waiting for bytes. */
  get readerWaits(): boolean {
    return this.#reading && this.#queue.length === 0
  }

  /** How many bytes wait in memory for the reader. */
  get buffered(): number {
    return this.#inMemory
  }

  /** Adds bytes to the current stretch, and waits while there is no room for them. Small buffers are gathered first. */
  async put(buffers: readonly Buffer[]): Promise<void> {
    this.#lanes.check()
    const due = this.#gatherer.add(buffers)
    if (due.length === 0) return
    const bytes = due.reduce((sum, buffer) => sum + buffer.length, 0)
    for (;;) {
      this.#lanes.check()
      if (this.#inMemory < this.#lanes.memory) return this.#keep(due)
      if (this.#maySpill(this) && this.#lanes.reserve(bytes)) return await this.#spill(due)
      await this.#lanes.changed()
    }
  }

  /** Ends the current stretch. */
  end(): void {
    this.#keep(this.#gatherer.rest())
    const last = this.#queue.at(-1)
    if (last instanceof Spilled && !last.sealed) last.ends.push(last.length)
    else this.#queue.push(END)
    this.#lanes.notify()
  }

  /** Returns the bytes of the next stretch as they arrive. */
  async *stretch(): AsyncGenerator<Buffer> {
    this.#reading = true
    this.#lanes.notify()
    try {
      for (;;) {
        const { value } = await this.#items.next()
        if (value === END) return
        yield value as Buffer
      }
    } finally {
      this.#reading = false
    }
  }

  async close(): Promise<void> {
    const spilled = this.#queue.splice(0).filter((item) => item instanceof Spilled)
    await Promise.all(spilled.map((item) => item.close()))
  }

  #keep(buffers: readonly Buffer[]): void {
    this.#queue.push(...buffers)
    for (const { length } of buffers) this.#inMemory += length
    this.#lanes.notify()
  }

  async #spill(buffers: readonly Buffer[]): Promise<void> {
    let last = this.#queue.at(-1)
    if (!(last instanceof Spilled) || last.sealed || last.length >= MAX_FILE_BYTES) {
      const file = await this.#lanes.file()
      if (this.#lanes.failed) await file.close()
      this.#lanes.check()
      last = new Spilled(file)
      this.#queue.push(last)
    }
    await last.append(buffers).catch((error: Error) => {
      throw new Error(`Cannot buffer data in RUNNER_TEMP: ${error.message}`, {
        cause: error,
      })
    })
    this.#lanes.notify()
  }

  async *#flatten(): AsyncGenerator<Buffer | typeof END, never> {
    for (;;) {
      this.#lanes.check()
      const item = this.#queue.shift()
      if (item === undefined) {
        await this.#lanes.changed()
      } else if (item instanceof Spilled) {
        yield* item.drain(() => this.#lanes.release(item.length))
      } else {
        if (item !== END) this.#inMemory -= item.length
        this.#lanes.notify()
        yield item
      }
    }
  }
}
