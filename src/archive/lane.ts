import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { notePending } from '../leftovers.ts'

/** Bytes that all lanes keep in memory before they ask for room on the disk, and what each has at least. */
const IN_MEMORY = 16 * 1024 * 1024
const LEAST_IN_MEMORY = 2 * 1024 * 1024

/** A file is removed when it has been read, so that several small ones give their room back sooner than a large one. */
const FILE_SIZE = 64 * 1024 * 1024

/** Bytes that a runner needs for itself. */
const SPARE = 1_000_000_000

const READ_SIZE = 1024 * 1024

/** Where the bytes of one entry end. */
const END = Symbol('end')

/** What lanes side by side share: room on the disk, news for who waits, and the failure that ends them all. */
export class Lanes {
  readonly all: Lane[] = []
  readonly #folder: string
  #room: number
  #failure: { reason: unknown } | null = null
  #waiting: (() => void)[] = []

  private constructor(folder: string, room: number) {
    this.#folder = folder
    this.#room = room
  }

  /** @param folder for what has to wait; `room`, in bytes, is by default what its disk can spare */
  static async open(folder: string, room?: number): Promise<Lanes> {
    const { bavail, bsize } = await statfs(folder)
    return new Lanes(folder, room ?? Math.max(0, bavail * bsize - SPARE))
  }

  /** Another lane; `maySpill` says whether its bytes may go to the disk now. Otherwise whoever fills it waits. */
  add(maySpill: (lane: Lane) => boolean): Lane {
    const lane = new Lane(this, maySpill)
    this.all.push(lane)
    return lane
  }

  /** Ends all that waits, and all that will. The first reason counts. */
  fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.ring()
  }

  /** @throws the reason of `fail` */
  check(): void {
    if (this.#failure) throw this.#failure.reason
  }

  /** Something changed for those who wait. */
  ring(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  changed(): Promise<void> {
    return new Promise((wake) => this.#waiting.push(wake))
  }

  /** Bytes that each lane may keep in memory. */
  get memory(): number {
    return Math.max(LEAST_IN_MEMORY, IN_MEMORY / this.all.length)
  }

  /** Takes room on the disk, or says that there is none. */
  take(bytes: number): boolean {
    if (bytes > this.#room) return false
    this.#room -= bytes
    return true
  }

  give(bytes: number): void {
    this.#room += bytes
    this.ring()
  }

  /** A file without a name: whatever becomes of us, nothing stays. */
  async file(): Promise<FileHandle> {
    const path = join(this.#folder, `pgclone-lane-${randomUUID()}`)
    const forget = notePending({ kind: 'file', path })
    const file = await open(path, 'wx+', 0o600)
    await rm(path)
    forget()
    return file
  }

  /** Lets go of everything that still waits. */
  async close(): Promise<void> {
    this.fail(new Error('the lanes are closed'))
    await Promise.all(this.all.map((lane) => lane.close()))
  }
}

/** A queue of bytes, entry by entry, from one writer to one reader: in memory, then on the disk, then the writer waits. */
export class Lane {
  readonly #lanes: Lanes
  readonly #maySpill: (lane: Lane) => boolean
  readonly #queue: (Buffer | typeof END | Spilled)[] = []
  #inMemory = 0
  #reading = false
  readonly #items = this.#flatten()

  constructor(lanes: Lanes, maySpill: (lane: Lane) => boolean) {
    this.#lanes = lanes
    this.#maySpill = maySpill
  }

  /** Whether an entry is being read right now. */
  get reading(): boolean {
    return this.#reading
  }

  /** Whether the reader waits for bytes. */
  get hungry(): boolean {
    return this.#reading && this.#queue.length === 0
  }

  async put(buffers: readonly Buffer[]): Promise<void> {
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    for (;;) {
      this.#lanes.check()
      if (this.#inMemory < this.#lanes.memory) {
        this.#queue.push(...buffers)
        this.#inMemory += bytes
        return this.#lanes.ring()
      }
      if (this.#maySpill(this) && this.#lanes.take(bytes)) return await this.#spill(buffers)
      await this.#lanes.changed()
    }
  }

  /** The entry has no more bytes. */
  end(): void {
    const last = this.#queue.at(-1)
    if (last instanceof Spilled && !last.sealed) last.ends.push(last.length)
    else this.#queue.push(END)
    this.#lanes.ring()
  }

  /** The bytes of the next entry, as they come. */
  async *entry(): AsyncGenerator<Buffer> {
    this.#reading = true
    this.#lanes.ring()
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

  async #spill(buffers: readonly Buffer[]): Promise<void> {
    let last = this.#queue.at(-1)
    if (!(last instanceof Spilled) || last.sealed || last.length >= FILE_SIZE) {
      last = new Spilled(await this.#lanes.file())
      this.#queue.push(last)
    }
    await last.append(buffers).catch((error: Error) => {
      throw new Error(`Data that have to wait cannot be kept in RUNNER_TEMP: ${error.message}`, {
        cause: error,
      })
    })
    this.#lanes.ring()
  }

  async *#flatten(): AsyncGenerator<Buffer | typeof END, never> {
    for (;;) {
      this.#lanes.check()
      const item = this.#queue.shift()
      if (item === undefined) {
        await this.#lanes.changed()
      } else if (item instanceof Spilled) {
        yield* item.drain(() => this.#lanes.give(item.length))
      } else {
        if (item !== END) this.#inMemory -= item.length
        this.#lanes.ring()
        yield item
      }
    }
  }
}

/** Bytes of a lane in a file, with the places where entries end. */
class Spilled {
  length = 0
  /** Nothing is added any more, because it is being read. */
  sealed = false
  readonly ends: number[] = []
  readonly #file: FileHandle
  #written: Promise<unknown> = Promise.resolve()

  constructor(file: FileHandle) {
    this.#file = file
  }

  async append(buffers: readonly Buffer[]): Promise<void> {
    const at = this.length
    for (const { length } of buffers) this.length += length
    const written = writeAll(this.#file, Buffer.concat(buffers), at)
    this.#written = written.catch(() => undefined)
    await written
  }

  /** @param onRead called as soon as the file is not needed any more */
  async *drain(onRead: () => void): AsyncGenerator<Buffer | typeof END> {
    this.sealed = true
    await this.#written
    try {
      let at = 0
      for (const end of [...this.ends.filter((place) => place < this.length), this.length]) {
        yield* this.#read(at, end)
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

  async *#read(from: number, to: number): AsyncGenerator<Buffer> {
    for (let at = from; at < to; ) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, to - at))
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) throw new Error('A temporary file of ours is shorter than what was written')
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  async close(): Promise<void> {
    await this.#written
    await this.#file.close().catch(() => undefined)
  }
}

/** A file may take less than it is given at once. */
async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done)
    done += bytesWritten
  }
}
