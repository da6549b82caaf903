import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asciiSql } from '../../../src/masking/ascii-sql.ts'

for (const [text, ascii] of [
  ['a = \'x\\y\' AND "B" = 1', 'a = \'x\\y\' AND "B" = 1'],
  ["name ='Zoë'", "name = U&'Zo\\+0000eb'"],
  ["LIKE'é\\_%'", "LIKE U&'\\+0000e9\\\\_%'"],
  ["E'é\\n' || n'é'", "E'\\U000000e9\\n' ||  U&'\\+0000e9'"],
  ["U&'\\0061é'", "U&'\\0061\\+0000e9'"],
  ['"Größe" > 1', ' U&"Gr\\+0000f6\\+0000dfe" > 1'],
  ['GRÖße > 1', ' U&"gr\\+0000d6\\+0000dfe" > 1'],
  ["$x$it's 😀$x$", " U&'it''s \\+01f600'"],
  ['a -- größer\n+ 1 /* é */', 'a -- gr??er\n+ 1 /* ? */'],
] as const)
  test(`in ASCII: ${text}`, () => assert.equal(asciiSql(text), ascii))
