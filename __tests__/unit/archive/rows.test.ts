import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { countNewlines, RowCounter } from '../../../src/archive/rows.ts'

function rowsOf(...pieces: string[]): number {
  const counter = new RowCounter()
  for (const piece of pieces) counter.add(Buffer.from(piece))
  return counter.rows
}

test('newlines are counted at any alignment and among bytes that look like them', () => {
  const bytes = fc.array(fc.constantFrom(0x0a, 0x0b, 0x8a, 0x00, 0x80, 0xff, 0x09, 0x61), { maxLength: 80 })
  fc.assert(
    fc.property(bytes, fc.nat(7), (values, start) => {
      const buffer = Buffer.from(values).subarray(start)
      assert.equal(countNewlines(buffer), buffer.filter((byte) => byte === 0x0a).length)
    }),
  )
})

test('the terminator of pg_dump is not rows, wherever the pieces part', () => {
  const data = '1\ta\n2\tb\n\\.\n\n\n'
  for (let at = 0; at <= data.length; at++) assert.equal(rowsOf(data.slice(0, at), data.slice(at)), 2)
  assert.equal(rowsOf(...data), 2)
})

test('only the end of the data can be the terminator', () => {
  assert.equal(rowsOf('\\.\n\n\n'), 0)
  assert.equal(rowsOf('\n\n\n\\.\n\n\n'), 3, 'three rows without columns')
  assert.equal(rowsOf('\\\\.\n\\.\n\n\n'), 1, 'a value \\. is escaped')
  assert.equal(rowsOf('\\\\.\n\n\n'), 3, 'a value \\. and two empty rows, not terminated')
  assert.equal(rowsOf(''), 0)
})
