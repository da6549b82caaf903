import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { expectedBytes } from '../../../../src/dumping/upload-dump.ts'
import { planParts, tooLarge, uploadMemory } from '../../../../src/storage/s3/plan-parts.ts'

const MiB = 1024 ** 2
const GiB = 1024 ** 3

test('the part size follows from the expected size and the limit of the provider', () => {
  const cases: [number, number, { expectedSize: number; partSize: number }][] = [
    [500, 10_000, { expectedSize: 500, partSize: 8 * MiB }],
    [500, 1000, { expectedSize: 5000, partSize: 8 * MiB }],
    [80_000 * MiB, 10_000, { expectedSize: 80_000 * MiB, partSize: 8 * MiB }],
    [80_000 * MiB + 1, 10_000, { expectedSize: 80_000 * MiB + 1, partSize: 16 * MiB }],
    [8000 * MiB + 1, 1000, { expectedSize: 80_000 * MiB + 10, partSize: 16 * MiB }],
    [2 ** 50, 10_000, { expectedSize: 50_000 * GiB, partSize: 5 * GiB }],
  ]
  for (const [bytes, maxParts, expected] of cases) {
    assert.deepEqual(planParts(bytes, maxParts), { ...expected, capacity: expected.partSize * maxParts })
  }
})

test('a dump of the expected size never needs more parts than there may be', () => {
  const sizes = fc.integer({ min: 1, max: 2 ** 42 })
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 10_000 }), (bytes, maxParts) => {
      const { partSize, capacity } = planParts(bytes, maxParts)
      const fits = tooLarge(bytes, maxParts) === null
      return fits ? Math.ceil(bytes / partSize) <= maxParts && bytes <= capacity : partSize === 5 * GiB
    }),
  )
})

test('a database that cannot fit is refused before the dump', () => {
  assert.equal(tooLarge(5 * GiB, 1), null)
  assert.match(tooLarge(5 * GiB + 1, 1)!, /takes at most 5.4 GB in one object \(1 part .*raise s3-max-parts/)
})

test('rows are longer as text than in their pages', () => {
  assert.equal(expectedBytes(10, { method: 'auto', level: null }), 20)
  assert.equal(expectedBytes(10, { method: 'none', level: null }), 40)
})

test('large parts need memory', () => {
  assert.ok(uploadMemory(planParts(10 * GiB, 10_000)) < 200e6)
  assert.ok(uploadMemory(planParts(2 ** 40, 1000)) > 7e9)
})
