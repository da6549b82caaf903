import type { Inputs } from '../inputs/inputs.ts'
import { formatDuration } from '../report/format.ts'
import type { DumpKey } from '../storage/keys.ts'

/** Clocks of runners differ by seconds; a dump from further ahead would pass for fresh for ever. In milliseconds. */
const CLOCK_ERROR = 60 * 60_000

/** Milliseconds since a dump was made, by the time in its key. */
export function ageOf({ createdAt }: Pick<DumpKey, 'createdAt'>, now: number = Date.now()): number {
  return now - Date.parse(createdAt)
}

/**
 * Refuses a dump that is older than `max-age`.
 *
 * @param newest the newest dump that matches; null when there is none, or when nothing tells its age
 */
export function checkAge({ maxAge }: Pick<Inputs, 'maxAge'>, newest: DumpKey | null): void {
  if (maxAge === null) return
  const limit = `max-age is ${formatDuration(maxAge)}`
  if (!newest) throw new Error(`There is no committed dump whose age could be told, and ${limit}`)
  const age = ageOf(newest)
  if (age < -CLOCK_ERROR) {
    throw new Error(
      `The newest matching dump, ${newest.key}, is from the future (${newest.createdAt}), so that its age cannot be told, and ${limit}`,
    )
  }
  if (age > maxAge) {
    throw new Error(`The newest matching dump, ${newest.key}, is ${formatDuration(age)} old, and ${limit}`)
  }
}
