import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { keyAt } from '../../../lab/sample-dumps.ts'
import { parseCalendarSpan } from '../../../src/inputs/keep-rules.ts'
import { parseDumpKey } from '../../../src/storage/keys.ts'
import {
  type Candidate,
  decide,
  formatSpan,
  hasRules,
  type KeepRules,
  PERIODS,
  type Period,
} from '../../../src/storage/retention.ts'
import { groupOf } from '../../../src/storage/series.ts'

const NOW = '2100-01-01T00:00:00.000000Z'

function rules(given: Partial<Record<Period, number>> & { within?: string }): KeepRules {
  const counts = Object.fromEntries(PERIODS.map((period) => [period, given[period] ?? 0]))
  const within = given.within ? parseCalendarSpan(given.within) : null
  return { counts: counts as KeepRules['counts'], within }
}

function dump(time: string, more: { group?: string; verified?: boolean } = {}): Candidate {
  return { key: parseDumpKey(keyAt(time, more.group))!, verified: more.verified ?? false }
}

/** The times that are kept, newest first, each with why. */
function kept(dumps: readonly Candidate[], given: Parameters<typeof rules>[0], now = NOW): string[] {
  return decide(dumps, rules(given), now)
    .filter((verdict) => verdict.keep)
    .map(({ dump, reasons }) => `${dump.key.createdAt.replace(/(:00)?\.0+Z$/, '')} ${reasons.join(', ')}`)
}

const at = (...times: string[]) => times.map((time) => dump(time.replace(' ', 'T')))

test("restic's example: every Sunday for twelve weeks, --keep-daily 4", () => {
  const first = Date.UTC(2019, 8, 1, 11)
  const sundays = Array.from({ length: 12 }, (_, week) => new Date(first + week * 7 * 864e5).toISOString())
  assert.deepEqual(
    kept(
      sundays.map((time) => dump(time)),
      { daily: 4 },
    ),
    ['2019-11-17T11:00', '2019-11-10T11:00', '2019-11-03T11:00', '2019-10-27T11:00'].map(
      (time) => `${time} daily`,
    ),
  )
})

test("restic's example: every weekday but one, twice on Fridays, --keep-daily 5", () => {
  const mornings = [
    ...['04-21', '04-22', '04-23', '04-24', '04-25', '04-28', '04-29', '05-01', '05-02'].map(
      (day) => `2025-${day} 11:00:00`,
    ),
  ]
  const dumps = at(...mornings, '2025-04-25 23:00:00', '2025-05-02 23:00:00')
  assert.deepEqual(
    kept(dumps, { daily: 5 }),
    ['2025-05-02T23:00', '2025-05-01T11:00', '2025-04-29T11:00', '2025-04-28T11:00', '2025-04-25T23:00'].map(
      (time) => `${time} daily`,
    ),
  )
})

test("restic's example: every day for a hundred years", () => {
  const days = (Date.UTC(2025, 0, 1) - Date.UTC(1925, 0, 1)) / 864e5
  const dumps = Array.from({ length: days }, (_, day) =>
    dump(new Date(Date.UTC(1925, 0, 1 + day, 3)).toISOString()),
  )
  const verdicts = decide(dumps, rules({ daily: 7, weekly: 5, monthly: 12, yearly: 75 }), NOW)
  const count = (period: Period) => verdicts.filter(({ reasons }) => reasons.includes(period)).length
  assert.deepEqual(
    PERIODS.map((period) => count(period)),
    [0, 0, 7, 5, 12, 75],
  )
  // The newest is one of each; 31 December 2024 is the end of a month and a year, 29 December of a week among the days.
  assert.equal(verdicts.filter(({ keep }) => keep).length, 7 + 3 + 11 + 74)
})

const cases: { name: string; dumps: string[]; rules: Parameters<typeof rules>[0]; keeps: string[] }[] = [
  {
    name: 'a rule of 0 is no rule, and the newest stays without one',
    dumps: ['2024-01-01 01:00:00', '2024-01-02 01:00:00'],
    rules: { last: 0 },
    keeps: ['2024-01-02T01:00 newest'],
  },
  {
    name: 'the oldest stays while a bucket has counts left',
    dumps: ['2024-01-01 01:00:00', '2024-01-01 02:00:00', '2024-01-01 03:00:00', '2024-01-02 01:00:00'],
    rules: { daily: 3 },
    keeps: ['2024-01-02T01:00 daily', '2024-01-01T03:00 daily', '2024-01-01T01:00 oldest daily'],
  },
  {
    name: 'and not when the counts are used up',
    dumps: ['2024-01-01 01:00:00', '2024-01-01 02:00:00', '2024-01-02 01:00:00'],
    rules: { daily: 2 },
    keeps: ['2024-01-02T01:00 daily', '2024-01-01T02:00 daily'],
  },
  {
    name: 'weeks begin on Monday and belong to ISO years: 30 December 2024 and 5 January 2025 are one week',
    dumps: [
      '2024-12-29 12:00:00',
      '2024-12-30 00:00:00',
      '2025-01-05 23:59:59',
      '2025-01-06 00:00:00',
      '2024-12-22 00:00:00',
    ],
    rules: { weekly: 3 },
    keeps: ['2025-01-06T00:00 weekly', '2025-01-05T23:59:59 weekly', '2024-12-29T12:00 weekly'],
  },
  {
    name: 'hours of different days are different',
    dumps: ['2024-01-01 10:00:00', '2024-01-02 10:00:00', '2024-01-02 10:59:00'],
    rules: { hourly: 2 },
    keeps: ['2024-01-02T10:59 hourly', '2024-01-01T10:00 hourly'],
  },
  {
    name: 'unlimited keeps one of every month, and the oldest',
    dumps: ['2024-01-01 10:00:00', '2024-01-31 10:00:00', '2024-03-01 10:00:00', '2024-03-02 10:00:00'],
    rules: { monthly: Number.POSITIVE_INFINITY },
    keeps: ['2024-03-02T10:00 monthly', '2024-01-31T10:00 monthly', '2024-01-01T10:00 oldest monthly'],
  },
  {
    name: 'rules are united',
    dumps: ['2022-06-01 01:00:00', '2023-06-01 01:00:00', '2024-06-01 01:00:00', '2024-06-02 01:00:00'],
    rules: { last: 1, yearly: 2, within: '1d' },
    keeps: ['2024-06-02T01:00 within 1d, last, yearly', '2023-06-01T01:00 yearly'],
  },
  {
    name: 'within is counted from the newest dump, and its edge is outside',
    dumps: ['2020-01-01 00:00:00', '2020-01-08 00:00:00', '2020-01-08 00:00:01', '2020-01-15 00:00:00'],
    rules: { within: '7d' },
    keeps: ['2020-01-15T00:00 within 7d', '2020-01-08T00:00:01 within 7d'],
  },
  {
    name: 'm is months: 31 March less a month is 2 March in a leap year',
    dumps: ['2024-03-02 00:00:00', '2024-03-02 00:00:01', '2024-03-31 00:00:00'],
    rules: { within: '1m' },
    keeps: ['2024-03-31T00:00 within 1m', '2024-03-02T00:00:01 within 1m'],
  },
  {
    name: 'microseconds count',
    dumps: ['2024-01-01 00:00:00.000001', '2024-01-01 00:00:00.000002', '2024-01-01 01:00:00.000001'],
    rules: { within: '1h' },
    keeps: ['2024-01-01T01:00:00.000001Z within 1h', '2024-01-01T00:00:00.000002Z within 1h'],
  },
  {
    name: 'a span of two thousand years',
    dumps: ['2024-01-01 00:00:00', '0001-01-01 00:00:00'],
    rules: { within: '9999y' },
    keeps: ['2024-01-01T00:00 within 9999y', '0001-01-01T00:00 within 9999y'],
  },
]
for (const { name, dumps, rules, keeps } of cases) {
  test(name, () => assert.deepEqual(kept(at(...dumps), rules), keeps))
}

test('a dump from the future stays and does not count as the newest for within', () => {
  const dumps = at('2024-01-01 00:00:00', '2024-01-09 00:00:00', '2024-01-10 00:00:00', '2099-01-01 00:00:00')
  assert.deepEqual(kept(dumps, { within: '2d' }, '2024-01-11T00:00:00.000000Z'), [
    '2099-01-01T00:00 within 2d',
    '2024-01-10T00:00 within 2d',
    '2024-01-09T00:00 within 2d',
  ])
})

test('rules count within instance, database and config, and the newest verified one stays', () => {
  const dumps = [
    dump('2024-01-01T00:00:00', { verified: true }),
    dump('2024-01-02T00:00:00', { verified: true }),
    dump('2024-01-03T00:00:00'),
    dump('2024-01-04T00:00:00'),
    dump('2020-01-01T00:00:00', { group: 'shop/app/masked' }),
    dump('2019-01-01T00:00:00', { group: 'shop/other/none' }),
  ]
  const verdicts = decide(dumps, rules({ last: 1 }), NOW)
  assert.deepEqual(
    verdicts.map(({ dump, reasons }) => [dump.key.createdAt.slice(0, 10), ...reasons]),
    [
      ['2024-01-04', 'last'],
      ['2024-01-03'],
      ['2024-01-02', 'newest verified'],
      ['2024-01-01'],
      ['2020-01-01', 'last'],
      ['2019-01-01', 'last'],
    ],
  )
})

const anyDump = fc
  .record({
    // Close together and far apart, so that buckets are shared and not.
    time: fc.oneof(
      fc.integer({ min: 0, max: 200 }).map((hours) => Date.UTC(2024, 11, 28) + hours * 36e5),
      fc.integer({ min: 0, max: 4e12 }),
    ),
    group: fc.constantFrom('a/a/a', 'a/a/b', 'b/a/a'),
    verified: fc.boolean(),
  })
  .map(({ time, group, verified }) => dump(new Date(time).toISOString(), { group, verified }))
const anyDumps = fc.uniqueArray(anyDump, { selector: ({ key }) => key.key, maxLength: 40 })
const anyCount = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 6 }),
  fc.constant(Number.POSITIVE_INFINITY),
)
const anySpan = fc.record({
  years: fc.nat(3),
  months: fc.nat(30),
  days: fc.nat(60),
  hours: fc.integer({ min: 1, max: 99 }),
})
const anyRules: fc.Arbitrary<KeepRules> = fc.record({
  counts: fc.record(
    Object.fromEntries(PERIODS.map((period) => [period, anyCount])) as Record<Period, typeof anyCount>,
  ),
  within: fc.option(anySpan),
})
const anyNow = fc.integer({ min: 0, max: 5e12 }).map((time) => new Date(time).toISOString())
const keptKeys = (dumps: readonly Candidate[], rules: KeepRules, now: string) =>
  new Set(
    decide(dumps, rules, now)
      .filter(({ keep }) => keep)
      .map(({ dump }) => dump.key.key),
  )

test('whatever the rules, every dump has one verdict, and the newest and the newest verified of a group survive', () => {
  fc.assert(
    fc.property(anyDumps, anyRules, anyNow, (dumps, rules, now) => {
      const verdicts = decide(dumps, rules, now)
      const keys = (list: readonly Candidate[]) => list.map(({ key }) => key.key).sort()
      assert.deepEqual(keys(verdicts.map((verdict) => verdict.dump)), keys(dumps))
      for (const { keep, reasons } of verdicts) assert.equal(keep, reasons.length > 0)
      for (const group of Map.groupBy(verdicts, ({ dump }) => groupOf(dump.key)).values()) {
        assert.ok(group[0]!.keep)
        const verified = group.find(({ dump }) => dump.verified)
        assert.ok(verified?.keep ?? true)
      }
    }),
    { numRuns: 500 },
  )
})

test('more of a rule never keeps less', () => {
  const more = fc.record({ period: fc.constantFrom(...PERIODS), by: fc.integer({ min: 1, max: 5 }) })
  fc.assert(
    fc.property(anyDumps, anyRules, more, fc.nat(50), anyNow, (dumps, rules, { period, by }, hours, now) => {
      const before = keptKeys(dumps, rules, now)
      const counts = { ...rules.counts, [period]: rules.counts[period] + by }
      const within = rules.within && { ...rules.within, hours: rules.within.hours + hours }
      const after = keptKeys(dumps, { counts, within }, now)
      for (const key of before) assert.ok(after.has(key), key)
    }),
    { numRuns: 500 },
  )
})

test('a prune right after a prune deletes nothing', () => {
  fc.assert(
    fc.property(anyDumps, anyRules, anyNow, (dumps, rules, now) => {
      const left = decide(dumps, rules, now).filter(({ keep }) => keep)
      const again = decide(
        left.map(({ dump }) => dump),
        rules,
        now,
      )
      for (const { dump, keep } of again) assert.ok(keep, dump.key.key)
    }),
  )
})

test('a span reads as it is written', () => {
  for (const text of ['2y5m7d3h', '14d', '6m', '1h']) assert.equal(formatSpan(parseCalendarSpan(text)!), text)
  assert.ok(hasRules(rules({ within: '1h' })))
  assert.ok(hasRules(rules({ yearly: 1 })))
  assert.ok(!hasRules(rules({})))
})
