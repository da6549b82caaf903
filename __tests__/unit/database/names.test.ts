import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { relatedName, temporaryName } from '../../../src/database/names.ts'

test('a related name fits and says whose it is', () => {
  const cases: [string, string][] = [
    ['shop', 'shop__pre'],
    ['Shop "x" é', 'Shop "x" é__pre'],
    ['x'.repeat(58), `${'x'.repeat(58)}__pre`],
  ]
  for (const [database, expected] of cases) assert.equal(relatedName(database, 'pre'), expected)
  assert.match(relatedName('x'.repeat(59), 'pre'), /^x{49}_[0-9a-f]{8}__pre$/)
  // 49 bytes are left for letters of two bytes: the half one is dropped.
  assert.match(relatedName('é'.repeat(31), 'pre'), /^é{24}_[0-9a-f]{8}__pre$/)
})

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 63 })
  .filter((text) => Buffer.byteLength(text) <= 63 && text.isWellFormed())

test('every related name is one that PostgreSQL keeps whole', () => {
  fc.assert(
    fc.property(name, (database) => {
      for (const related of [relatedName(database, 'pre'), temporaryName(database)]) {
        assert.ok(Buffer.byteLength(related) <= 63)
        assert.ok(related.isWellFormed())
      }
    }),
  )
})

test('two databases never share a related name', () => {
  const ending = fc.string({ minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(fc.constantFrom(20, 56, 58, 60), ending, ending, (length, one, other) => {
      fc.pre(one !== other)
      const [first, second] = [one, other].map((end) => relatedName('x'.repeat(length) + end, 'pre'))
      assert.notEqual(first, second)
    }),
  )
  assert.notEqual(temporaryName('shop'), temporaryName('shop'))
})
