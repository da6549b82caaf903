import { type KeepRules, PERIODS, type Period } from '../storage/retention.ts'
import { parseCalendarSpan, parseKeepCount, parseShare } from './keep-rules.ts'
import { parseDuration } from './parse.ts'
import type { Reader } from './reader.ts'

/** The inputs that say which dumps are kept, and what makes a step fail although its work is done. */
export type LimitInputs = Readonly<{
  keep: KeepRules
  /** Milliseconds; null accepts any age. */
  maxAge: number | null
  /** Milliseconds; null accepts any duration. */
  maxRestoreTime: number | null
  /** A share from 0 to 1. */
  maxShrink: number
  failOnShrink: boolean
  failOnDiff: boolean
}>

/** Reads the inputs about retention and limits. */
export function readLimits(reader: Reader): LimitInputs {
  const counts = PERIODS.map((period) => [period, reader.read(`keep-${period}`, parseKeepCount, 0)])
  return {
    keep: {
      counts: Object.fromEntries(counts) as Record<Period, number>,
      within: reader.read('keep-within', parseCalendarSpan, null),
    },
    maxAge: reader.read('max-age', parseDuration, null),
    maxRestoreTime: reader.read('max-restore-time', parseDuration, null),
    maxShrink: reader.read('max-shrink', parseShare, 1),
    failOnShrink: reader.boolean('fail-on-shrink'),
    failOnDiff: reader.boolean('fail-on-diff'),
  }
}
