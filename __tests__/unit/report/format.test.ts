import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatBytes, formatCount, formatDuration, formatNames } from '../../../src/report/format.ts'

test('bytes', () => {
  const cases: [number, string][] = [
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [1000, '1.0 kB'],
    [1_250_000, '1.3 MB'],
    [99_940, '99.9 kB'],
    [99_960, '100 kB'],
    [999_499, '999 kB'],
    [999_950, '1.0 MB'],
    [83_886_080_000, '83.9 GB'],
    [5 * 1024 ** 4, '5.5 TB'],
    [1e18, '1000 PB'],
  ]
  for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text)
})

test('durations', () => {
  const cases: [number, string][] = [
    [0, '0 ms'],
    [850, '850 ms'],
    [12_345, '12.3 s'],
    [59_960, '1 min 0 s'],
    [245_000, '4 min 5 s'],
    [3_600_000, '1 h 0 min'],
    [100 * 3_600_000 + 59 * 60_000, '100 h 59 min'],
  ]
  for (const [milliseconds, text] of cases) assert.equal(formatDuration(milliseconds), text)
})

test('no number reaches the next unit', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), (number) => {
      assert.doesNotMatch(formatBytes(number), /^1000/)
      assert.doesNotMatch(formatDuration(number), /^1000 ms|^60 (?:s|min)|60 s$|60 min$/)
    }),
  )
})

test('counts', () => {
  assert.deepEqual([0, 999, 1234567].map(formatCount), ['0', '999', '1,234,567'])
})

test('names', () => {
  assert.equal(formatNames([], 2), '')
  assert.equal(formatNames(['a', 'b'], 2), 'a, b')
  assert.equal(formatNames(['a', 'b', 'c'], 2), 'a, b and 1 more')
})
