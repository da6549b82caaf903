import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expressionProblem } from '../../../src/masking/one-expression.ts'

for (const text of [
  'a',
  'coalesce(a, b)',
  "'it''s; (' || x",
  "E'\\'; (' || x",
  "nameE || ''",
  '"a;b" = 1',
  "$$; ( ' $$ || $x$ $$ ; $x$",
  'a[1:2] + b$1',
  'a -- ; (',
  'a -- ;\n + /* ; ( /* \' */ " */ 1',
  "U&'\\0061' || B'1' || 1.5::text",
  '(SELECT 1 FROM b, c)',
  "a LIKE '%\\%'",
])
  test(`one expression: ${text}`, () => assert.equal(expressionProblem(text), null))

for (const [text, problem] of [
  ['', 'is empty'],
  [' /* a */ -- b', 'is empty'],
  ['a; b', 'has a semicolon'],
  ['a, b', 'has a comma, so it is more than one expression'],
  ['a) or (b', 'has a bracket too many: ")"'],
  ['(a', 'has a bracket that is not closed: "("'],
  ['(a]', 'has a bracket too many: "]"'],
  ["'a", 'has a quote that is not closed'],
  ["E'a\\'", 'has a quote that is not closed'],
  ['"a', 'has a double quote that is not closed'],
  ["''' ; ", 'has a quote that is not closed'],
  ["'a\\'; b'", 'has a semicolon'],
  ["'\\' \\! id", 'has a backslash outside of quotes'],
  ['a /* /* */', 'has a comment that is not closed'],
  ['$x$ a; $y$', 'has a semicolon'],
] as const)
  test(`refused: ${text}`, () => assert.equal(expressionProblem(text), problem))
