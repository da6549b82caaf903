import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matchesAny, pullRequestNumbers } from '../../../src/dropping/patterns.ts'

test('only * stands for other text, and case matters', () => {
  const cases: [string, string, boolean][] = [
    ['preview_1', 'preview_*', true],
    ['preview_', 'preview_*', true],
    ['preview-1', 'preview_*', false],
    ['Preview_1', 'preview_*', false],
    ['xpreview_1', 'preview_*', false],
    ['preview_1', 'preview_%', false],
    ['preview_1', 'preview__', false],
    ['preview_1', 'preview_?', false],
    ['preview_1', 'preview_.', false],
    ['100% "a" \\ (b)', '100% "*" \\ (b)', true],
    ['a\nb', 'a*', true],
    ['größe_1', 'größe_*', true],
    // The same letters in another composition of Unicode are another name.
    ['gro\u0308ße_1', 'größe_*', false],
    ['𝒳1', '𝒳*', true],
  ]
  for (const [name, pattern, expected] of cases)
    assert.equal(matchesAny(name, [pattern]), expected, `${name} ${pattern}`)
  assert.equal(matchesAny('b', ['a', 'b']), true)
  assert.equal(matchesAny('b', []), false)
})

test('a number is all that * matched, as GitHub writes it', () => {
  const cases: [string, string[]][] = [
    ['preview_12', ['12']],
    ['preview_123456789012345678901', ['123456789012345678901']],
    ...[
      'preview_',
      'preview_0',
      'preview_007',
      'preview_12a',
      'preview_1_2',
      'preview_-1',
      'preview_1\n',
    ].map((name) => [name, []] as [string, string[]]),
    ['preview_１２', []],
    ['preview_١٢', []],
  ]
  for (const [name, expected] of cases)
    assert.deepEqual(pullRequestNumbers(name, ['preview_*']), expected, name)
  assert.deepEqual(pullRequestNumbers('preview_12', ['preview_*', 'preview_1*', 'preview_12', '*_12']), [
    '12',
    '2',
  ])
})
