import { encodingOf, NO_DATA, SECTION, type Select, TocEntry } from '../archive/archive.ts'
import type { Addition } from '../database/restorable.ts'

/** Kinds of entries that precede the objects of an archive. */
const HEAD = ['ENCODING', 'STDSTRINGS', 'SEARCHPATH', 'DATABASE', 'DATABASE PROPERTIES']

/** OIDs of the catalogs that hold the objects. */
const CATALOG = { SCHEMA: '2615', EXTENSION: '3079' }

/**
 * Adds schemas and extensions to an archive that does not have them: `pg_dump --table` never dumps the schema of a table,
 * and before 14 it cannot be told to dump an extension. With `--schema=public`, it creates that schema, which every new
 * database has.
 */
export function withAdditions(additions: readonly Addition[]): Select {
  return async (dumped) => {
    const entries = dumped.filter((entry) => !createsPublic(entry))
    const missing = missingFrom(entries, additions)
    const lastId = entries.reduce((last, entry) => Math.max(last, entry.dumpId, ...entry.dependencies), 0)
    const isUtf8 = encodingOf(entries) === 'UTF8'
    const added = missing.map((addition, n) =>
      entryOf(addition, { dumpId: lastId + 1 + n, isUtf8, decode: entries[0]?.decode }),
    )
    const start = entries.findIndex(({ desc }) => !HEAD.includes(desc))
    const head = start < 0 ? entries.length : start
    return [...entries.slice(0, head), ...added, ...entries.slice(head)]
  }
}

function missingFrom(entries: readonly TocEntry[], additions: readonly Addition[]): Addition[] {
  const present = new Set(entries.flatMap(({ desc, oid }) => (desc in CATALOG ? `${desc} ${oid}` : [])))
  return additions.filter(({ kind, oid }) => !present.has(`${kind} ${oid}`))
}

function createsPublic({ desc, tag, definition }: TocEntry): boolean {
  return desc === 'SCHEMA' && tag === 'public' && /^CREATE SCHEMA public;/m.test(definition)
}

type Placing = { dumpId: number; isUtf8: boolean; decode: TocEntry['decode'] | undefined }

function entryOf(addition: Addition, { dumpId, isUtf8, decode }: Placing): TocEntry {
  const bytes = (text: 'name' | 'owner' | 'sql') =>
    isUtf8 ? Buffer.from(addition[text]) : Buffer.from(addition.raw[text], 'hex')
  return TocEntry.of(
    {
      ...{ dumpId, hadDumper: 0, section: SECTION.preData, relkind: 0, dataState: NO_DATA },
      tableOid: Buffer.from(CATALOG[addition.kind]),
      oid: Buffer.from(addition.oid),
      desc: Buffer.from(addition.kind),
      ...{ tag: bytes('name'), owner: bytes('owner'), defn: bytes('sql') },
      // Without a drop statement, a restore in place knows that the schema is only needed.
      // pg_restore requires this text.
      withOids: Buffer.from('false'),
      ...{ dropStmt: null, copyStmt: null, namespace: null, tablespace: null, tableam: null },
      dependencies: [],
    },
    decode,
  )
}
