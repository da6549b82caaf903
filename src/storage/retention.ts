import { groupBySeries, type Named } from './series.ts'

/**
 * Which dumps stay, by the rules of restic's `forget` (restic: doc/060_forget.rst, internal/data/snapshot_policy.go),
 * all in UTC. A dump stays when one rule keeps it.
 */
export type KeepRules = Readonly<{
  /** How many of each to keep; 0 is no rule, Infinity keeps all. */
  counts: Readonly<Record<Period, number>>
  /** Keep everything made in this time before the newest dump; null is no rule. */
  within: CalendarSpan | null
}>

/** A length of time as the calendar has it: a month is as long as the month before the day it is counted from. */
export type CalendarSpan = Readonly<{ years: number; months: number; days: number; hours: number }>

export const PERIODS = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const
export type Period = (typeof PERIODS)[number]

/** A committed dump that the rules decide on. */
export type Candidate = Named & Readonly<{ verified: boolean }>

/** Why a dump is kept; one without a reason is to be deleted. */
export type Verdict<Dump extends Candidate> = Readonly<{ dump: Dump; keep: boolean; reasons: string[] }>

/** Dumps in the same bucket of a period count as one. `createdAt` is ISO 8601 in UTC, so its beginnings are periods. */
const BUCKETS: Readonly<Record<Period, (createdAt: string, index: number) => string>> = {
  last: (_, index) => String(index),
  hourly: (createdAt) => createdAt.slice(0, 'YYYY-MM-DDTHH'.length),
  daily: (createdAt) => createdAt.slice(0, 'YYYY-MM-DD'.length),
  weekly: mondayOf,
  monthly: (createdAt) => createdAt.slice(0, 'YYYY-MM'.length),
  yearly: (createdAt) => createdAt.slice(0, 'YYYY'.length),
}

/** An ISO 8601 week is known by its Monday. */
function mondayOf(createdAt: string): string {
  const day = new Date(createdAt)
  day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7))
  return day.toISOString().slice(0, 'YYYY-MM-DD'.length)
}

/** Whether any keep rule is given. Without one, everything stays. */
export function hasRules({ counts, within }: KeepRules): boolean {
  return within !== null || PERIODS.some((period) => counts[period] > 0)
}

/**
 * Decides on every dump, series by series, newest first. The newest dump of a series always stays, and the
 * newest verified one.
 *
 * @param now ISO 8601 in UTC; a dump from the future does not count as the newest for `within`
 */
export function decide<Dump extends Candidate>(
  dumps: readonly Dump[],
  rules: KeepRules,
  now: string,
): Verdict<Dump>[] {
  const newestFirst = [...dumps].sort(({ key: a }, { key: b }) =>
    a.createdAt === b.createdAt ? (a.key < b.key ? -1 : 1) : a.createdAt < b.createdAt ? 1 : -1,
  )
  const verdicts = groupBySeries(newestFirst).flatMap((series) => decideSeries(series, rules, now))
  const byKey = new Map(verdicts.map((verdict) => [verdict.dump.key.key, verdict]))
  return newestFirst.map(({ key }) => byKey.get(key.key)!)
}

function decideSeries<Dump extends Candidate>(
  newestFirst: readonly Dump[],
  rules: KeepRules,
  now: string,
): Verdict<Dump>[] {
  const reasons = newestFirst.map((): string[] => [])
  keepWithin(newestFirst, rules.within, now, reasons)
  for (const period of PERIODS) keepCounted(newestFirst, period, rules.counts[period], reasons)
  keepFloor(newestFirst, reasons)
  return newestFirst.map((dump, index) => ({
    dump,
    keep: reasons[index]!.length > 0,
    reasons: reasons[index]!,
  }))
}

function keepWithin(
  newestFirst: readonly Candidate[],
  within: CalendarSpan | null,
  now: string,
  reasons: string[][],
): void {
  if (!within) return
  const newest = newestFirst.find(({ key }) => key.createdAt < now)?.key.createdAt
  for (const [index, { key }] of newestFirst.entries()) {
    if (newest === undefined || key.createdAt > before(newest, within)) {
      reasons[index]!.push(`within ${formatSpan(within)}`)
    }
  }
}

/**
 * Keeps the newest dump of each bucket, for as many buckets as the count allows. While counts are left, it also keeps the
 * oldest dump of all, so that history reaches as far back as possible.
 */
function keepCounted(
  newestFirst: readonly Candidate[],
  period: Period,
  count: number,
  reasons: string[][],
): void {
  let left = count
  let last = ''
  for (const [index, { key }] of newestFirst.entries()) {
    if (left === 0) return
    const bucket = BUCKETS[period](key.createdAt, index)
    const isOldest = index === newestFirst.length - 1
    if (bucket === last && !isOldest) continue
    reasons[index]!.push(bucket === last ? `oldest ${period}` : period)
    last = bucket
    left -= 1
  }
}

/** What stays without a rule. */
function keepFloor(newestFirst: readonly Candidate[], reasons: string[][]): void {
  const verified = newestFirst.findIndex((dump) => dump.verified)
  if (reasons[0]?.length === 0) reasons[0].push('newest')
  if (reasons[verified]?.length === 0) reasons[verified].push('newest verified')
}

/** The time so long before another, as Go's `AddDate` and JavaScript's `Date` count: 31 March 2025 less a month is 3 March. */
function before(createdAt: string, { years, months, days, hours }: CalendarSpan): string {
  const date = new Date(createdAt)
  date.setUTCFullYear(date.getUTCFullYear() - years, date.getUTCMonth() - months, date.getUTCDate() - days)
  date.setUTCHours(date.getUTCHours() - hours)
  // A Date ends at milliseconds; the three digits behind them are not changed by whole hours.
  return date.toISOString().slice(0, -1) + createdAt.slice(-'123Z'.length)
}

/** `2y5m7d3h`, as it is written in the input. */
export function formatSpan({ years, months, days, hours }: CalendarSpan): string {
  const parts: [number, string][] = [
    [years, 'y'],
    [months, 'm'],
    [days, 'd'],
    [hours, 'h'],
  ]
  return parts.map(([count, unit]) => (count > 0 ? `${count}${unit}` : '')).join('')
}
