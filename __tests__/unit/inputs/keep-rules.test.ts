import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCalendarSpan, parseKeepCount, parseShare } from '../../../src/inputs/keep-rules.ts'

test('counts as in restic', () => {
  assert.equal(parseKeepCount('7'), 7)
  assert.equal(parseKeepCount('0'), 0)
  assert.equal(parseKeepCount('unlimited'), Number.POSITIVE_INFINITY)
  assert.throws(() => parseKeepCount('-1'), /write unlimited/)
  for (const text of ['1.5', '7d', 'all', '1e3', '0x1'])
    assert.throws(() => parseKeepCount(text), /whole number/)
})

test('spans as in restic', () => {
  const span = (text: string) => Object.values(parseCalendarSpan(text)!)
  assert.deepEqual(span('2y5m7d3h'), [2, 5, 7, 3])
  assert.deepEqual(span('4h3d9m'), [0, 9, 3, 4])
  assert.deepEqual(span('5d'), [0, 0, 5, 0])
  assert.equal(parseCalendarSpan('0d'), null)
  for (const text of ['2w', '1y4m3w1d', 's', '7', '-7d', '1d1d', '1 d', '1.5d', ''])
    assert.throws(() => parseCalendarSpan(text), /m is months/, text)
})

test('shares', () => {
  assert.equal(parseShare('50%'), 0.5)
  assert.equal(parseShare('0%'), 0)
  assert.equal(parseShare('12.5 %'), 0.125)
  for (const text of ['50', '101%', '-1%', '%', '0.5', 'half'])
    assert.throws(() => parseShare(text), /0% to 100%/)
})
