import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOf, manifestOf } from '../../../lab/sample-dumps.ts'
import {
  type Contents,
  compareWithPrevious,
  describeShrinkage,
  incomparable,
} from '../../../src/dumping/compare-with-previous.ts'
import type { Manifest } from '../../../src/storage/manifest.ts'

/** A dump by its tables: name → rows and bytes. */
function contents(tables: Record<string, [number | null, number]>, more: Partial<Contents> = {}): Contents {
  const list = Object.entries(tables).map(([name, [rows, bytes]]) => ({
    schema: 'public',
    name,
    rows,
    bytes,
  }))
  const rows = list.some((table) => table.rows === null)
    ? null
    : list.reduce((sum, table) => sum + table.rows!, 0)
  const rawBytes = list.reduce((sum, table) => sum + table.bytes, 0)
  return { tables: list, rows, rawBytes, filters: {}, compression: 'zstd', ...more }
}

const before = contents({ orders: [1000, 50_000], users: [200, 5_000], logs: [10, 100] })

test('rows and bytes that shrank by more than the limit are named with the tables that lost most', () => {
  const now = contents({ orders: [10, 500], users: [150, 4_000], logs: [12, 120] })
  assert.equal(
    describeShrinkage(before, now, 0.5),
    '172 rows instead of 1,210 rows (-85 %) and 4.6 kB instead of 55.1 kB (-91 %); most of it in public.orders (1,000 → 10), public.users (200 → 150)',
  )
})

test('a table that is gone is named so', () => {
  assert.match(
    describeShrinkage(before, contents({ users: [200, 5_000] }), 0.5)!,
    /public\.orders \(1,000 → gone\), public\.logs \(10 → gone\)$/,
  )
})

test('bytes alone may shrink, as when texts are emptied, and are the measure where rows were not counted', () => {
  const emptied = contents({ orders: [1000, 2_000], users: [200, 500], logs: [10, 100] })
  assert.match(
    describeShrinkage(before, emptied, 0.5)!,
    /^2\.6 kB instead of .*orders \(50\.0 kB → 2\.0 kB\)/,
  )
  const unknown = contents({ orders: [null, 2_000] })
  assert.match(describeShrinkage(before, unknown, 0.5)!, /^2\.0 kB instead of 55\.1 kB/)
})

test('the limit itself is allowed, 100 % never speaks, and nothing cannot shrink', () => {
  const half = contents({ orders: [500, 25_000] })
  const whole = contents({ orders: [1000, 50_000] })
  const none = contents({})
  assert.equal(describeShrinkage(whole, half, 0.5), null)
  assert.notEqual(describeShrinkage(whole, half, 0.499), null)
  assert.equal(describeShrinkage(whole, none, 1), null)
  assert.notEqual(describeShrinkage(whole, none, 0.99), null)
  assert.equal(describeShrinkage(none, whole, 0), null)
  assert.equal(describeShrinkage(whole, whole, 0), null)
})

test('only so many tables are named', () => {
  const many = Object.fromEntries(
    Array.from({ length: 9 }, (_, n) => [`t${n}`, [100 - n, 1] as [number, number]]),
  )
  const text = describeShrinkage(contents(many), contents({}), 0.5)!
  assert.match(text, /public\.t0 .*public\.t4 \(96 → gone\) and 4 more tables$/)
})

test('dumps with other filters, and dumps of which one was not counted, are not compared', () => {
  assert.equal(incomparable(before, before), null)
  assert.equal(incomparable(before, contents({}, { compression: 'gzip' })), null)
  assert.match(incomparable(before, contents({}, { filters: { schemaOnly: true } }))!, /other filters/)
  assert.match(incomparable(before, contents({}, { compression: 'pg_dump' }))!, /counted/)
})

test('a dump is compared with a previous one that has the same filters only', () => {
  const [previous, now] = [1, 2].map((day) => manifestOf(keyOf('shop/app/none', day), 1_000_000)) as [
    Manifest,
    Manifest,
  ]
  const inputs = { maxShrink: 0.5, failOnShrink: true }
  assert.equal(compareWithPrevious(inputs, previous, now), previous)
  assert.equal(compareWithPrevious(inputs, null, now), null)
  assert.equal(compareWithPrevious(inputs, { ...previous, filters: { 'schema-only': true } }, now), null)
  const empty = { ...now, rows: 0, rawBytes: 0, tables: [] }
  assert.throws(() => compareWithPrevious(inputs, previous, empty), /much smaller.*it was not committed/)
})
