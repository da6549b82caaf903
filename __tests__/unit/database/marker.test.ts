import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMarker, parseMarker } from '../../../src/database/marker.ts'

test('a marker survives being a comment, and no other comment is one', () => {
  const marker = { kind: 'clone', of: `it's "é"\n\\`, at: '2026-11-01T02:00:00.000Z', run: '' } as const
  assert.deepEqual(parseMarker(formatMarker(marker)), marker)
  const comments = [
    null,
    '',
    'the shop',
    'pgclone-action',
    'pgclone-action is great',
    ' pgclone-action {}',
    'pgclone-action {"kind":',
  ]
  for (const comment of comments) assert.equal(parseMarker(comment), null, String(comment))
})
