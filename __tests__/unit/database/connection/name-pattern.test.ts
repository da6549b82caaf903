import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asciiPattern, exactPatterns } from '../../../../src/database/connection/name-pattern.ts'

const codes = (text: string) => [...text].map((character) => character.codePointAt(0)!)

test('a pattern is written in ASCII, and quotes still enclose what they enclosed', () => {
  const cases = [
    ['public.orders', 'public.orders'],
    ['löhne*', String.raw`l\u00f6hne*`],
    ['"Löhne"', String.raw`"L"\u00f6"hne"`],
    ['"öö""x"', String.raw`""\u00f6""\u00f6"""x"`],
    ['[äö]', String.raw`[\u00e4\u00f6]`],
    ['x😀1', String.raw`x(\x1f600)1`],
  ]
  for (const [pattern, ascii] of cases) assert.equal(asciiPattern(codes(pattern!)), ascii)
})

test('patterns of exact names, many in one', () => {
  const name = (schema: string, text: string) => ({ schema: codes(schema), name: codes(text) })
  assert.deepEqual(exactPatterns([name('a', 'b.c'), name('a.b', 'c"d'), name('a', 'E*')]), [
    '"a".("b.c"|"E*")',
    '"a.b"."c""d"',
  ])
  const many = Array.from({ length: 120 }, (_, n) => name('s', `p${n}`))
  assert.equal(exactPatterns(many).length, 3)
  assert.deepEqual(exactPatterns([]), [])
})
