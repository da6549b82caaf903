import type { CalendarSpan } from '../storage/retention.ts'
import { parseInteger } from './parse.ts'

/** Readers of the inputs about keeping dumps. Each returns a value or throws an Error that completes the sentence "<input> …". */

/** Reads the count of a keep rule: 0 means no rule, and `unlimited` keeps all dumps, as in restic. */
export function parseKeepCount(text: string): number {
  if (text === 'unlimited') return Number.POSITIVE_INFINITY
  if (text.startsWith('-')) throw new Error('must not be negative; write unlimited to keep all dumps')
  return parseInteger(text, { min: 0, max: 1_000_000 })
}

/** Reads a span such as `2y5m7d3h`, as in restic: years, **months**, days and hours, each at most once, in any order. */
export function parseCalendarSpan(text: string): CalendarSpan | null {
  const parts = [...text.matchAll(/(\d{1,5})([ymdh])/g)]
  const counts = new Map(parts.map(([, count, unit]) => [unit!, Number(count)]))
  if (parts.length === 0 || counts.size < parts.length || parts.map(([part]) => part).join('') !== text) {
    throw new Error(
      `must be years, months, days and hours such as 14d, 6m or 2y5m7d3h (m is months), not ${JSON.stringify(text)}`,
    )
  }
  const of = (unit: string) => counts.get(unit) ?? 0
  const isNothing = [...counts.values()].every((count) => count === 0)
  return isNothing ? null : { years: of('y'), months: of('m'), days: of('d'), hours: of('h') }
}

/** Reads a percentage: `50%` → 0.5. */
export function parseShare(text: string): number {
  const percent = /^(\d{1,3}(?:\.\d{1,3})?) ?%$/.exec(text)?.[1]
  if (percent !== undefined && Number(percent) <= 100) return Number(percent) / 100
  throw new Error(`must be a percentage from 0% to 100%, not ${JSON.stringify(text)}`)
}
