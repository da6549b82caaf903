import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ColumnType } from '../../../src/masking/column-type.ts'
import { mayHoldText } from '../../../src/masking/leak-columns.ts'

const type = (base: string, kind: ColumnType['kind'] = 'b', isArray = false): ColumnType => ({
  ...{ type: isArray ? `${base}[]` : base, base, kind, isArray },
})

test('texts, JSON and types of which nothing is known are searched, and so are their arrays', () => {
  for (const base of ['text', 'varchar', 'bpchar', 'json', 'jsonb', 'xml', 'tsvector', 'citext', 'hstore']) {
    assert.equal(mayHoldText(type(base)), true, base)
    assert.equal(mayHoldText(type(base, 'b', true)), true, `${base}[]`)
  }
  assert.equal(mayHoldText(type('address', 'c')), true, 'a composite type may have texts')
})

test('numbers, binary data, dates, labels and ranges are not', () => {
  for (const base of ['int4', 'int8', 'numeric', 'float8', 'bytea', 'uuid', 'timestamptz', 'bool', 'inet']) {
    assert.equal(mayHoldText(type(base)), false, base)
    assert.equal(mayHoldText(type(base, 'b', true)), false, `${base}[]`)
  }
  assert.equal(mayHoldText(type('mood', 'e')), false)
  assert.equal(mayHoldText(type('tstzrange', 'r')), false)
  assert.equal(mayHoldText(type('tstzmultirange', 'm')), false)
})
