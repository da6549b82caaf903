import { createHash } from 'node:crypto'
import { addAbortListener, once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { TransientError } from '../errors.ts'

/** Where bytes come from: a program or a stored dump. */
export type Source = {
  readonly stream: Readable
  /** Call it after the end of the stream: throws if the sender failed. An end of file alone proves nothing. */
  finish(): Promise<void>
  abort(): Promise<void>
}

/** Where bytes go: a program or a new dump. Only `commit` and `abort` end its input. */
export type Sink = {
  readonly stream: Writable
  /** Resolves with the reason, and never rejects, if the receiver ends before `commit`. */
  readonly died: Promise<Error>
  /** How many bytes may be buffered for a receiver that has not begun to read. */
  readonly readAhead?: number
  commit(): Promise<void>
  abort(): Promise<void>
}

/** A transformation between source and sink, as in `pipeline` of `node:stream`. */
export type Stage = (source: AsyncIterable<Buffer>) => AsyncIterable<Buffer>

/** Counts the bytes that pass. */
export class Counter {
  bytes = 0

  readonly stage: Stage = (source) => this.#pass(source)

  async *#pass(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      this.see(chunk)
      yield chunk
    }
  }

  protected see(chunk: Buffer): void {
    this.bytes += chunk.length
  }
}

/** Counts and hashes the bytes that pass. */
export class Meter extends Counter {
  readonly #hash = createHash('sha256')
  #digest: string | null = null

  protected override see(chunk: Buffer): void {
    super.see(chunk)
    this.#hash.update(chunk)
  }

  /** SHA-256 of all bytes in hex; read it after the end. */
  get sha256(): string {
    this.#digest ??= this.#hash.digest('hex')
    return this.#digest
  }
}

export type TransferOptions = {
  stages: readonly Stage[]
  signal: AbortSignal
  /** The transfer fails after this many milliseconds without a byte. */
  idleTimeout: number
  /** Bytes that have moved so far, to notice when they stop. */
  moved: () => number
}

/**
 * Moves everything from source to sink, but not the end of file: the sink learns of it from `commit`, which the caller
 * calls after its own checks.
 *
 * @throws the reason of the side that failed first, after both were aborted
 */
export async function transfer(source: Source, sink: Sink, options: TransferOptions): Promise<void> {
  using watchdog = watchIdle(options)
  const signal = AbortSignal.any([options.signal, watchdog.signal])
  const { promise: interrupted, reject } = Promise.withResolvers<never>()
  // A pipe of streams may not notice the cancellation until the stream at its start is destroyed as well.
  interrupted.catch(() => source.stream.destroy())
  using _ = addAbortListener(signal, () => reject(signal.reason))
  try {
    const stream = throughStages(source.stream, options.stages)
    await Promise.race([
      pour(stream, sink.stream, signal, sink.readAhead),
      sink.died.then((reason) => Promise.reject(reason)),
      interrupted,
    ])
    await source.finish()
    signal.throwIfAborted()
  } catch (error) {
    const reason = signal.aborted ? signal.reason : await firstReason(error, source, sink)
    await abortBoth(source, sink)
    throw reason
  }
}

/** Returns what comes out of a source at the end of all stages. */
export function throughStages(
  source: AsyncIterable<Buffer>,
  stages: readonly Stage[],
): AsyncIterable<Buffer> {
  return stages.reduce((input, stage) => stage(input), source)
}

/** Commits a sink. If that fails or the step is cancelled meanwhile, the sink is aborted. */
export async function commitSink(sink: Sink, signal: AbortSignal): Promise<void> {
  try {
    signal.throwIfAborted()
    using _ = addAbortListener(signal, () => void sink.abort())
    await sink.commit()
    signal.throwIfAborted()
  } catch (error) {
    await sink.abort()
    throw signal.aborted ? signal.reason : error
  }
}

/** The longest delay of Node's timers. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** How long to wait for the reason behind a broken pipe. */
const REASON_TIMEOUT_MS = 3000

/** Returns a signal that aborts with `signal`, or after a time limit. For work in which no byte can be seen to move. */
export function within(
  signal: AbortSignal,
  milliseconds: number,
  what: string,
): Disposable & { signal: AbortSignal } {
  const controller = new AbortController()
  const late = () =>
    controller.abort(
      new TransientError(
        `${what} within ${Math.round(milliseconds / 1000)} s (idle-timeout); the connection is dead or the other side is stuck`,
      ),
    )
  const timer = setTimeout(late, Math.min(milliseconds, MAX_TIMER_MS))
  return {
    signal: AbortSignal.any([signal, controller.signal]),
    [Symbol.dispose]: () => clearTimeout(timer),
  }
}

/**
 * Waits for work that cannot be cancelled, such as a call into a file system, until the signal aborts.
 *
 * @param late gets a result that nobody waits for any more
 */
export async function untilAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
  late: (result: Result) => unknown = () => undefined,
): Promise<Result> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  using _ = addAbortListener(signal, () => {
    work.then(late).catch(() => undefined)
    reject(signal.reason)
  })
  return await Promise.race([work, aborted])
}

/** Aborts the sink first: while it waits for input, the end of the source cannot look like success. */
async function abortBoth(source: Source, sink: Sink): Promise<void> {
  await Promise.allSettled([sink.abort(), source.abort()])
}

/** Finds the reason behind a broken pipe or a stream that ended too early: why the program at the other end stopped. */
async function firstReason(error: unknown, source: Source, sink: Sink): Promise<unknown> {
  const timeout = <Answer>(answer: Answer) => wait(REASON_TIMEOUT_MS, answer, { ref: false })
  if (source.stream.readableEnded) {
    const ended = source.finish().then(
      () => null,
      (reason: unknown) => ({ reason }),
    )
    const failure = await Promise.race([ended, timeout(null)])
    if (failure) return failure.reason
  }
  const broken = [
    'EPIPE',
    'ECONNRESET',
    'ERR_STREAM_DESTROYED',
    'ERR_STREAM_WRITE_AFTER_END',
    'ERR_STREAM_PREMATURE_CLOSE',
    // The reader of the sink's stream destroyed it.
    'ABORT_ERR',
  ]
  if (!broken.includes((error as NodeJS.ErrnoException).code ?? '')) return error
  return Promise.race([sink.died, timeout(error)])
}

/** Writes everything into a stream without ending it. */
export async function pour(
  source: AsyncIterable<Buffer>,
  sink: Writable,
  signal: AbortSignal,
  readAhead = 0,
): Promise<void> {
  for await (const chunk of source) {
    signal.throwIfAborted()
    if (sink.errored) throw sink.errored
    if (!sink.write(chunk) && sink.writableLength > readAhead) await once(sink, 'drain', { signal })
  }
}

/** Returns a signal that aborts when no byte has moved for `idleTimeout`. */
function watchIdle({ idleTimeout, moved }: TransferOptions): Disposable & { signal: AbortSignal } {
  const controller = new AbortController()
  let seen = moved()
  let since = Date.now()
  const check = () => {
    if (moved() !== seen) {
      seen = moved()
      since = Date.now()
    } else if (Date.now() - since >= idleTimeout) {
      const seconds = Math.round(idleTimeout / 1000)
      controller.abort(
        new TransientError(
          `No byte moved for ${seconds} s (idle-timeout) after ${seen} bytes; the connection is dead or the other side is stuck`,
        ),
      )
    }
  }
  const timer = setInterval(check, Math.max(50, Math.min(1000, idleTimeout / 4)))
  return { signal: controller.signal, [Symbol.dispose]: () => clearInterval(timer) }
}
