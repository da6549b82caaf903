import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMarker, parseMarker } from '../../../src/database/marker.ts'

test('a marker survives being a comment, and no other comment is one', () => {
  const marker = { kind: 'clone', of: `it's "é"\n\\`, at: '2026-11-01T02:00:00.000Z', run: '' } as const
  assert.deepEqual(parseMarker(formatMarker(marker)), marker)
  const changes: Record<string, unknown>[] = [
    ...[{ kind: 'other' }, { kind: undefined }, { kind: ['clone'] }],
    ...[{ of: 5 }, { of: null }, { of: 'x'.repeat(2000) }],
    ...[
      { at: '' },
      { at: 5 },
      { at: 'no time' },
      { at: '2026-13-01T00:00:00Z' },
      { run: null },
      { run: 'a\nb' },
      ...[{ expires: null }, { expires: '' }, { expires: 'never' }, { expires: 5 }],
    ],
  ]
  const comments = [
    null,
    '',
    'the shop',
    'pgclone-action',
    'pgclone-action is great',
    ' pgclone-action {}',
    'pgclone-action {"kind":',
    'pgclone-action 5',
    'pgclone-action null',
    'pgclone-action []',
    'pgclone-action {}',
    `${formatMarker(marker)} `.padEnd(20_000),
    ...changes.map((change) => `pgclone-action ${JSON.stringify({ ...marker, ...change })}`),
  ]
  for (const comment of comments) assert.equal(parseMarker(comment), null, String(comment))
})

test('a marker with fields of a later release is a marker', () => {
  const marker = { kind: 'clone', of: 'a', at: '2026-11-01T02:00:00.000Z', run: '', later: 'x' } as const
  assert.deepEqual(parseMarker(formatMarker(marker)), marker)
})
