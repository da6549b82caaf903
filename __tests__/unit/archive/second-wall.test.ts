import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkDelivered, SECTION, TocEntry } from '../../../src/archive/archive.ts'

/** An entry as a pg_dump has it in its table of contents. */
function entryOf(desc: string, oid: string, copyStatement: string | null, hadDumper = 1): TocEntry {
  const text = (value: string) => Buffer.from(value)
  return TocEntry.of({
    ...{ dumpId: 1, hadDumper, section: SECTION.data, relkind: 0, dataState: 1, dependencies: [] },
    ...{ tableOid: text('0'), oid: text(oid), tag: text('t'), desc: text(desc), namespace: text('s') },
    ...{ defn: null, dropStmt: null, tablespace: null, tableam: null, owner: null, withOids: null },
    copyStmt: copyStatement === null ? null : text(copyStatement),
  })
}

const kept = {
  tables: new Map([
    ['1', ['id', 'Name', 'a "b", (c)']],
    ['2', []],
  ]),
  largeObjects: false,
}

test('data of a table that is kept whole, with its columns, passes', () => {
  const entries = [
    entryOf('TABLE DATA', '1', `COPY s."t (x)" (id, "Name", "a ""b"", (c)") FROM stdin;\n`),
    entryOf('TABLE DATA', '1', `COPY "s.s"."t""" ("id", "Name", "a ""b"", (c)") FROM stdin;\n`),
    entryOf('TABLE DATA', '2', 'COPY s.t  FROM stdin;\n'),
    entryOf('TABLE', '9', null, 0),
    entryOf('SEQUENCE SET', '9', null, 0),
  ]
  checkDelivered(entries, kept)
  checkDelivered([entryOf('BLOBS', '0', null)], { ...kept, largeObjects: true })
})

test('everything else stops the dump', () => {
  const cases: [TocEntry, RegExp][] = [
    [entryOf('TABLE DATA', '3', 'COPY s.t (id) FROM stdin;\n'), /TABLE DATA s\.t, which is not kept whole/],
    [entryOf('TABLE DATA', '', null), /which is not kept whole/],
    [entryOf('BLOBS', '0', null), /which is not kept whole/],
    [entryOf('LATER KIND', '1', 'COPY s.t (id) FROM stdin;\n'), /which is not kept whole/],
    [entryOf('TABLE DATA', '1', 'COPY s.t (id, "Name") FROM stdin;\n'), /columns are not those of the plan/],
    [
      entryOf('TABLE DATA', '1', 'COPY s.t ("Name", id, "a ""b"", (c)") FROM stdin;\n'),
      /not those of the plan/,
    ],
    [
      entryOf('TABLE DATA', '1', 'COPY s.t (id, name, "a ""b"", (c)") FROM stdin;\n'),
      /not those of the plan/,
    ],
    [entryOf('TABLE DATA', '2', 'COPY s.t (id) FROM stdin;\n'), /not those of the plan/],
    [entryOf('TABLE DATA', '1', null), /not those of the plan/],
  ]
  for (const [entry, says] of cases) assert.throws(() => checkDelivered([entry], kept), says)
})
