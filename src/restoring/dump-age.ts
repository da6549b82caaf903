import type { Inputs } from '../inputs/inputs.ts'
import { formatDuration } from '../report/format.ts'
import type { DumpKey } from '../storage/keys.ts'

/** Runners' clocks differ by seconds. A dump dated further ahead than this would count as fresh for too long. */
const MAX_CLOCK_SKEW_MS = 60 * 60_000

/** Returns how many milliseconds ago a dump was made, according to its key. */
export function ageOf({ createdAt }: Pick<DumpKey, 'createdAt'>, now: number = Date.now()): number {
  return now - Date.parse(createdAt)
}

/**
 * Refuses a dump that is older than `max-age`.
 *
 * @param newest the newest matching dump; null when there is none, or when its key holds no time
 */
export function checkAge({ maxAge }: Pick<Inputs, 'maxAge'>, newest: DumpKey | null): void {
  if (maxAge === null) return
  const limit = `max-age is ${formatDuration(maxAge)}`
  if (!newest) {
    throw new Error(
      `There is no committed dump with a time in its key, and ${limit}; make a dump, or change dump-key or max-age`,
    )
  }
  const age = ageOf(newest)
  if (age < -MAX_CLOCK_SKEW_MS) {
    throw new Error(
      `The newest matching dump, ${newest.key}, is from the future (${newest.createdAt}), so its age is unknown, and ${limit}; correct the clock of the machine that made it, or delete the dump`,
    )
  }
  if (age > maxAge) {
    throw new Error(
      `The newest matching dump, ${newest.key}, is ${formatDuration(age)} old, and ${limit}; check why there is no newer one, or raise max-age`,
    )
  }
}
