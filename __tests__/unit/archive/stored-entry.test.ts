import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryObjects } from 'node:v8'
import { build, split } from '../../../lab/archive/sample-archive.ts'
import { readContents } from '../../../src/archive/archive.ts'
import { layoutOf, StoredEntry, type TocFields } from '../../../src/archive/stored-entry.ts'

const text = (value: string) => Buffer.from(value)
const FIELDS: TocFields = {
  ...{ dumpId: 7, hadDumper: 1, section: 3, relkind: 112, dataState: 1 },
  ...{ tableOid: text('1259'), oid: text('16400'), tag: text('orders'), desc: text('TABLE DATA') },
  ...{ defn: text(''), dropStmt: null, copyStmt: text('COPY …'), namespace: text('public') },
  ...{ tablespace: text(''), tableam: text('heap'), owner: text('bob'), withOids: text('false') },
  dependencies: [text('3'), text('12')],
}

test('an entry is the same in every layout that has its fields, and others lose theirs', () => {
  const newest = StoredEntry.of(FIELDS)
  assert.deepEqual(newest.fields, FIELDS)
  assert.deepEqual(newest.in(layoutOf(15)).fields, { ...FIELDS, relkind: 0 })
  assert.deepEqual(newest.in(layoutOf(12)).fields, { ...FIELDS, relkind: 0, tableam: null })
  assert.equal(layoutOf(14), layoutOf(15))
  assert.equal(newest.in(layoutOf(17)), newest)
})

test('a table of contents keeps one buffer for an entry, not one for a field', async () => {
  const COUNT = 5000
  const entries = Array.from({ length: COUNT }, (_, n) => ({ id: n + 1, desc: 'TABLE', tag: `table_${n}` }))
  const bytes = build({ entries })
  const buffers = () => queryObjects(Uint8Array, { format: 'count' })
  const before = buffers()
  const contents = await readContents(split(bytes, () => 65_536))
  const kept = buffers() - before
  assert.equal(contents.at(-1)!.tag, `table_${COUNT - 1}`)
  assert.ok(kept < 1.5 * COUNT, `${kept} buffers`)
})
