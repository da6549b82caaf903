import { createHash } from 'node:crypto'
import { addAbortListener, once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { PassingError } from '../errors.ts'

/** Where bytes come from: a program or a stored dump. */
export type Source = {
  readonly stream: Readable
  /** After the stream's end: throws when the sending side did not end well. An end of file alone proves nothing. */
  finish(): Promise<void>
  abort(): Promise<void>
}

/** Where bytes go: a program or a new dump. Its input ends by `commit` or `abort` only. */
export type Sink = {
  readonly stream: Writable
  /** Resolves, and never rejects, with the reason when the receiving side ends before it was told to. */
  readonly died: Promise<Error>
  /** How many bytes may wait for a receiver that has not begun to read. */
  readonly readAhead?: number
  commit(): Promise<void>
  abort(): Promise<void>
}

/** A step between source and sink, as in `node:stream`'s pipeline. */
export type Stage = (source: AsyncIterable<Buffer>) => AsyncIterable<Buffer>

/** Counts and hashes the bytes that pass. */
export class Meter {
  bytes = 0
  readonly #hash = createHash('sha256')
  #digest: string | null = null

  readonly stage: Stage = (source) => this.#pass(source)

  async *#pass(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      this.bytes += chunk.length
      this.#hash.update(chunk)
      yield chunk
    }
  }

  /** Hex SHA-256 of everything; call it after the end. */
  get sha256(): string {
    this.#digest ??= this.#hash.digest('hex')
    return this.#digest
  }
}

export type TransferOptions = {
  stages: readonly Stage[]
  signal: AbortSignal
  /** Milliseconds without a byte after which the transfer is given up. */
  idleTimeout: number
  /** The bytes that moved so far, to notice when they stop. */
  moved: () => number
}

/**
 * Moves everything from source to sink, and holds the end of file back: the sink hears of the end only when its
 * `commit` is called, which is the caller's next step, after its own checks.
 *
 * @throws the reason of the side that failed first; source and sink are aborted by then
 */
export async function transfer(source: Source, sink: Sink, options: TransferOptions): Promise<void> {
  using watchdog = watchIdle(options)
  const signal = AbortSignal.any([options.signal, watchdog.signal])
  const { promise: interrupted, reject } = Promise.withResolvers<never>()
  // A stream of our own making may not notice that it was destroyed until its source is aborted as well.
  interrupted.catch(() => source.stream.destroy())
  using _ = addAbortListener(signal, () => reject(signal.reason))
  try {
    const stream = options.stages.reduce<AsyncIterable<Buffer>>((input, stage) => stage(input), source.stream)
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

/** Commits a sink, or, when that fails or the step is cancelled meanwhile, aborts it. */
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

/** The longest time that Node's timers know. */
const LONGEST_TIMER = 2 ** 31 - 1

/** A signal that aborts with `signal`, or with a sentence when something takes too long of which no byte can be seen. */
export function within(
  signal: AbortSignal,
  milliseconds: number,
  what: string,
): Disposable & { signal: AbortSignal } {
  const controller = new AbortController()
  const late = () =>
    controller.abort(
      new PassingError(
        `${what} within ${Math.round(milliseconds / 1000)} s (idle-timeout); the connection is dead or the other side is stuck`,
      ),
    )
  const timer = setTimeout(late, Math.min(milliseconds, LONGEST_TIMER))
  return {
    signal: AbortSignal.any([signal, controller.signal]),
    [Symbol.dispose]: () => clearTimeout(timer),
  }
}

/** The consumer first: as long as it waits for input, nothing that the producer's end does can look like success. */
async function abortBoth(source: Source, sink: Sink): Promise<void> {
  await Promise.allSettled([sink.abort(), source.abort()])
}

/**
 * What we notice is a broken pipe, or data that end too early; why the side behind it went away is what the user needs.
 */
async function firstReason(error: unknown, source: Source, sink: Sink): Promise<unknown> {
  const patience = <Answer>(answer: Answer) => wait(3000, answer, { ref: false })
  if (source.stream.readableEnded) {
    const ended = source.finish().then(
      () => null,
      (reason: unknown) => ({ reason }),
    )
    const failure = await Promise.race([ended, patience(null)])
    if (failure) return failure.reason
  }
  const broken = [
    'EPIPE',
    'ECONNRESET',
    'ERR_STREAM_DESTROYED',
    'ERR_STREAM_WRITE_AFTER_END',
    'ERR_STREAM_PREMATURE_CLOSE',
    // What reads the sink's stream has let go of it.
    'ABORT_ERR',
  ]
  if (!broken.includes((error as NodeJS.ErrnoException).code ?? '')) return error
  return Promise.race([sink.died, patience(error)])
}

/** Writes everything and does not end the sink. */
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
        new PassingError(
          `No byte moved for ${seconds} s (idle-timeout) after ${seen} bytes; the connection is dead or the other side is stuck`,
        ),
      )
    }
  }
  const timer = setInterval(check, Math.max(50, Math.min(1000, idleTimeout / 4)))
  return { signal: controller.signal, [Symbol.dispose]: () => clearInterval(timer) }
}
