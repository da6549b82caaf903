import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { countNewlines, RowCounter, rowBoundary } from '../../../src/archive/rows.ts'

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

test('COPY text is divided behind rows only, never inside the terminator, wherever the pieces part', () => {
  // The second byte of a character of GB18030 may be a digit, and of SJIS or BIG5 a backslash.
  const rows = ['1\ta', '', '\\\\.', '\x81\x30\x84\x36', '\x83\x5c', 'x'.repeat(40)]
  const text = fc.array(fc.constantFrom(...rows), { maxLength: 12 })
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(text, sizes, (lines, lengths) => {
      const data = Buffer.from(`${lines.map((line) => `${line}\n`).join('')}\\.\n\n\n`, 'latin1')
      const parts = ['']
      for (let at = 0, n = 0; at < data.length; n++) {
        const piece = data.subarray(at, at + lengths[n % lengths.length]!)
        at += piece.length
        const boundary = rowBoundary(piece)
        parts[parts.length - 1] += piece.toString('latin1', 0, boundary)
        if (boundary > 0) parts.push('')
        parts[parts.length - 1] += piece.toString('latin1', boundary)
      }
      assert.equal(parts.join(''), data.toString('latin1'))
      assert.ok(parts.pop()!.endsWith('\\.\n\n\n'))
      assert.ok(parts.every((part) => part.endsWith('\n') && !/(^|\n)\\\.\n/.test(part)))
    }),
  )
  assert.equal(rowBoundary(Buffer.from('1\n\\.\n\n\n')), 2, 'as soon as a whole terminator could follow')
  assert.equal(rowBoundary(Buffer.from('1\n\\.\n\n')), 0)
})
