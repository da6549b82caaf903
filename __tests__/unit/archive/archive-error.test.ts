import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveError } from '../../../src/archive/archive-error.ts'

test('an error is one line, whatever the names in the archive hold', () => {
  const { message } = new ArchiveError('the data of table public.\norders\u0007 is "odd"', 7)
  assert.equal(message, 'the data of table public.\\norders\\u0007 is "odd" (at byte 7 of the archive)')
})
