import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryObjects } from 'node:v8'
import { build, split } from '../../../lab/archive/sample-archive.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { createDecoder, readContents, SplitArchive, type TocEntry } from '../../../src/archive/archive.ts'
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

/** Returns what `read` returns, and how many buffers it leaves in memory. */
async function keptBuffers<Result>(read: () => Promise<Result>): Promise<{ result: Result; kept: number }> {
  const buffers = () => queryObjects(Uint8Array, { format: 'count' })
  const before = buffers()
  const result = await read()
  return { result, kept: buffers() - before }
}

const COUNT = 5000
const entries = Array.from({ length: COUNT }, (_, n) => ({ id: n + 1, desc: 'TABLE', tag: `table_${n}` }))
const archive = () => split(build({ entries }), () => 65_536)

test('a table of contents keeps a few buffers, not one for an entry', async () => {
  const { result, kept } = await keptBuffers(() => readContents(archive()))
  assert.equal(result.at(-1)!.tag, `table_${COUNT - 1}`)
  assert.ok(kept < COUNT / 20, `${kept} buffers`)
})

test('a table of contents that this process has written is not kept twice, and must be that one', async () => {
  const select = async (all: readonly TocEntry[]) =>
    all.map((entry, n) => (n === 7 ? entry.with({ tag: Buffer.from('changed') }) : entry))
  const decoder = createDecoder({ jobs: 1, maxVersion: '1.14', select })
  const { written } = decoder
  assert.deepEqual(written(), [])
  await using folder = tempFolder('known')
  const { entries: read } = await SplitArchive.open(decoder.transform(archive()), folder.path, written)
  assert.deepEqual([read.length, read[7]!.tag, read.at(-1)!.tag], [COUNT, 'changed', `table_${COUNT - 1}`])
  assert.ok(read.every((entry, n) => entry === written()[n]))
  await assert.rejects(
    SplitArchive.open(archive(), folder.path, written),
    /^ArchiveError: the table of contents is not the one that was written/,
  )
})
