import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ruleOf, TYPES } from '../../../lab/postgres/mask-cases.ts'
import { type ColumnType, castType } from '../../../src/masking/column-type.ts'
import { maskColumn } from '../../../src/masking/mask-column.ts'

function mask(type: ColumnType, rule: string) {
  const result = maskColumn(ruleOf(rule), type, 't.v')
  assert.ok(!('refusal' in result))
  return result
}

for (const [type, rule, refusal] of [
  ['date', 'empty', 'empty means nothing for date; use {value: …}, {sql: …} or null'],
  ['mood', 'empty', 'empty means nothing for public.mood; use {value: …}, {sql: …} or null'],
  ['varchar10', 'email', 'email needs room for 20 characters, and the column is character varying(10)'],
  ['varchar20', 'uuid', 'uuid needs room for 36 characters, and the column is character varying(20)'],
  ['varchar10', 'value 01234567890', 'the value has 11 characters, and the column is character varying(10)'],
  ['smallint', 'email', 'email is for texts, and the column is smallint'],
  ['smallint', 'name', 'name is for texts, and the column is smallint'],
  ['uuid', 'text', 'text is for texts, and the column is uuid'],
  ['uuid', 'digits', 'digits is for texts, integers and numeric, and the column is uuid'],
  ['bytea', 'uuid', 'uuid is for texts and uuid, and the column is bytea'],
  ['text', 'json a', 'json is for json and jsonb, and the column is text'],
  ['real', 'token', 'token is for texts, bytea, uuid, integer, bigint and numeric, and the column is real'],
  [
    'numeric10_2',
    'token',
    'token needs room for 9 digits before the decimal point, and the column is numeric(10,2)',
  ],
] as const)
  test(`refused: ${rule} for ${type}`, () =>
    assert.deepEqual(maskColumn(ruleOf(rule), TYPES[type]!, 't.v'), { refusal }))

test('refused: what is too short, arrays, and literals whose parts would run checks of users', () => {
  const refusal = (type: Partial<ColumnType>, rule: string) => {
    const result = maskColumn(ruleOf(rule), { ...TYPES.text!, ...type }, 't.v')
    return 'refusal' in result ? result.refusal : null
  }
  const tiny = { type: 'character(2)', base: 'bpchar' }
  assert.equal(refusal(tiny, 'token'), 'token needs room for 8 characters, and the column is character(2)')
  assert.equal(refusal(tiny, 'name'), 'name needs room for 4 characters, and the column is character(2)')
  for (const type of ['numeric(3,-2)', 'numeric(3,5)']) {
    const numeric = { type, base: 'numeric' }
    assert.equal(
      refusal(numeric, 'digits'),
      `digits means nothing for ${type}, where some digits are always 0`,
    )
    assert.match(refusal(numeric, 'token') ?? '', /^token needs room for 9 digits/)
  }
  for (const rule of ['email', 'name', 'digits', 'token', 'uuid', 'text', 'json a'])
    assert.match(refusal(TYPES.texts!, rule) ?? '', /the column is text\[\]$/)
  for (const kind of ['c', 'd', 'r', 'm'] as const) {
    const composed = { type: 'public.t', base: 't', kind, isArray: kind === 'd' }
    assert.match(refusal(composed, 'value x') ?? '', /^a value for public.t cannot be checked safely/)
  }
  for (const fake of ['text', 'citext', 'uuid', 'json'])
    assert.ok(refusal({ type: `public.${fake}`, base: fake, kind: 'e' }, 'token'))
})

for (const [type, rule, uniqueness] of [
  ['text', 'email', 'unique'],
  ['varchar20', 'email', 'may collide'],
  ['text', 'token', 'unique'],
  ['varchar20', 'token', 'unique'],
  ['varchar10', 'token', 'may collide'],
  ['integer', 'token', 'may collide'],
  ['bigint', 'token', 'unique'],
  ['numeric', 'token', 'unique'],
  ['numeric10_0', 'token', 'may collide'],
  ['numeric20_0', 'token', 'unique'],
  ['bytea', 'token', 'unique'],
  ['uuid', 'token', 'unique'],
  ['uuid', 'uuid', 'unique'],
  ['text', 'uuid', 'unique'],
  ['text', 'name', 'may collide'],
  ['text', 'digits', 'may collide'],
  ['bigint', 'digits', 'may collide'],
  ['text', 'text', 'may collide'],
  ['jsonb', 'json a', 'may collide'],
  ['text', 'empty', 'constant'],
  ['text', 'value x', 'constant'],
  ['text', 'null', 'constant'],
  ['text', 'sql lower(v)', 'unknown'],
] as const)
  test(`${rule} on ${type}: ${uniqueness}`, () =>
    assert.equal(mask(TYPES[type]!, rule).uniqueness, uniqueness))

test('masks with the same form turn equal values into equal masks', () => {
  const form = (type: string, rule: string) => mask(TYPES[type]!, rule).form
  assert.equal(form('text', 'token'), form('char40', 'token'))
  assert.equal(form('bigint', 'token'), form('numeric20_0', 'token'))
  assert.notEqual(form('text', 'token'), form('varchar20', 'token'))
  assert.notEqual(form('text', 'token'), form('text', 'token person'))
  assert.notEqual(form('text', 'token'), form('text', 'email'))
  assert.notEqual(form('text', 'token'), form('citext', 'token'))
  assert.equal(form('text', 'sql v'), null)
  const narrow = maskColumn(ruleOf('token'), TYPES.text!, 't.v', TYPES.varchar20!)
  assert.ok(!('refusal' in narrow))
  assert.equal(narrow.form, form('varchar20', 'token'))
  assert.match(narrow.expression, /::pg_catalog\.text END$/)
})

test('only a constant needs a question to the server', () => {
  assert.equal(mask(TYPES.integer!, 'value 7').probe, "SELECT '7'::integer AS value")
  assert.equal(mask(TYPES.integer!, 'empty').probe, null)
})

for (const [type, cast] of [
  ['text', 'pg_catalog.text'],
  ['varchar20', 'character varying(20)'],
  ['texts', 'pg_catalog.text[]'],
  ['numbers', 'integer[]'],
  ['citext', 'public.citext'],
  ['range', 'pg_catalog.int4range'],
  ['timestamp', 'timestamp without time zone'],
] as const)
  test(`a cast to ${cast}`, () => assert.equal(castType(TYPES[type]!), cast))
