import { setTimeout as wait } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import { formatDuration } from '../report/format.ts'
import { log } from '../report/log.ts'
import { isRetryable } from './retryable.ts'

const FIRST_WAIT_MS = 1000
const WAIT_GROWTH = 5
const LONGEST_WAIT_MS = 60_000

/**
 * Returns the delay before an attempt in milliseconds: exponential backoff, with jitter so that jobs that failed together
 * do not retry together.
 *
 * @param made attempts so far
 * @param chance a random number from 0 to 1
 */
export function waitBefore(made: number, chance: number): number {
  return Math.round(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * WAIT_GROWTH ** (made - 1)) * (0.5 + chance))
}

/** Counts the attempts of one step over all of its work. */
export class Retries {
  made = 1
  readonly #limit: number
  readonly #watch: () => () => Promise<void>

  /**
   * @param limit the number of attempts after the first
   * @param watch returns what removes what the attempts from then on left behind
   */
  constructor(limit: number, watch: () => () => Promise<void>) {
    this.#limit = limit
    this.#watch = watch
  }

  /** Does work, and repeats it from the start after a transient failure as long as attempts are left. */
  async run<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const cleanUp = this.#watch()
    for (;;) {
      try {
        return await work()
      } catch (error) {
        await this.#next(error, signal)
        await cleanUp()
      }
    }
  }

  /** Waits for the next attempt, or throws the error when there is none. */
  async #next(error: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#limit === 0) throw error
    if (!isRetryable(error)) {
      log.info('This error is permanent; not retrying')
      throw error
    }
    const message = messageOf(error)
    if (this.made > this.#limit)
      throw new Error(`${message} (${this.made} attempts were made)`, { cause: error })
    const pause = waitBefore(this.made, Math.random())
    log.warning(
      `Attempt ${this.made} of ${this.#limit + 1} failed with a transient error: ${message}. The next attempt starts in ${formatDuration(pause)}`,
    )
    await wait(pause, undefined, { signal }).catch(() => Promise.reject(signal.reason))
    this.made += 1
  }
}
