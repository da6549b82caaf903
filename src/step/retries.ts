import { setTimeout as wait } from 'node:timers/promises'
import { openLeftovers } from '../leftovers.ts'
import { formatDuration } from '../report/format.ts'
import { log } from '../report/log.ts'
import { cleanUp } from './cleanup.ts'
import type { Context } from './context.ts'
import { mayPass } from './retryable.ts'

const FIRST_WAIT = 1000
const GROWTH = 5
const LONGEST_WAIT = 60_000

/**
 * Milliseconds before an attempt, longer each time, so that whatever is overloaded gets its rest; and by chance, so that
 * jobs that failed together do not come back together.
 *
 * @param made attempts so far
 * @param chance from 0 to 1
 */
export function waitBefore(made: number, chance: number): number {
  return Math.round(Math.min(LONGEST_WAIT, FIRST_WAIT * GROWTH ** (made - 1)) * (0.5 + chance))
}

/** The attempts of one step, counted over all of its work. */
export class Attempts {
  made = 1
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  /** Does work, and does it again from the start when it broke for a reason that may pass and `retries` allows it. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await work()
      } catch (error) {
        await this.#next(error)
      }
    }
  }

  /** Waits for the next attempt, and throws the error when there is none. */
  async #next(error: unknown): Promise<void> {
    const { inputs, signal } = this.#context
    const { retries } = inputs
    if (signal.aborted || retries === 0) throw error
    if (!mayPass(error)) {
      log.info('This does not pass by itself, so it is not tried again')
      throw error
    }
    const { message } = error as Error
    if (this.made > retries) throw new Error(`${message} (${this.made} attempts were made)`, { cause: error })
    const pause = waitBefore(this.made, Math.random())
    log.warning(
      `Attempt ${this.made} of ${retries + 1} failed for a reason that may pass: ${message}. The next one begins in ${formatDuration(pause)}`,
    )
    await wait(pause, undefined, { signal }).catch(() => Promise.reject(signal.reason))
    this.made += 1
    // What the failed attempt could not remove, because its connection was gone.
    await cleanUp(this.#context, openLeftovers())
  }
}
