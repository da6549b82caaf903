import { blockHead } from './blocks.ts'
import { chunk, END_OF_RUN } from './encode.ts'
import { contentsHeader, headerBytes } from './header.ts'
import { TERMINATOR } from './rows.ts'
import { DATA_OFFSET_UNKNOWN } from './stored-entry.ts'
import { SECTION, TocEntry, tocParts } from './toc.ts'

/** The data of one table, without the rest of its dump. All text is in the encoding of the data. */
export type TableData = {
  oid: string
  schema: Buffer
  name: Buffer
  /** The statement that loads the data. */
  copyStatement: Buffer
  /** The comment that `pg_dump` writes when the data is loaded through the root of a partition tree. */
  definition: Buffer | null
  /** COPY text, without pg_dump's terminator. */
  rows: AsyncIterable<Buffer>
}

/**
 * Returns an archive that contains only the data of some tables, as `pg_dump --section=data` writes it: a part for
 * JoinedArchive, which takes the names and dependencies of the entries from the dump of the schema.
 *
 * @param encoding PostgreSQL's name of the encoding of the data
 */
export async function* tableArchive(encoding: string, tables: readonly TableData[]): AsyncGenerator<Buffer> {
  const entries = tables.map((data, index) => dataEntry(index + 2, data))
  yield headerBytes(contentsHeader())
  yield* tocParts(contentsHeader(), [encodingEntry(encoding), ...entries])
  for (const [index, { rows }] of tables.entries()) {
    yield Buffer.concat(blockHead(entries[index]!.dumpId))
    for await (const bytes of rows) if (bytes.length > 0) yield* chunk(bytes)
    yield Buffer.concat([...chunk(TERMINATOR), END_OF_RUN])
  }
}

/** Fields that both kinds of entries have, as pg_dump writes them (ArchiveEntry in pg_backup_archiver.c). */
const COMMON = {
  ...{ tableOid: Buffer.from('0'), defn: null, dropStmt: Buffer.from(''), copyStmt: null },
  ...{ namespace: null, tablespace: null, tableam: null, relkind: 0 },
  ...{ owner: Buffer.from(''), withOids: Buffer.from('false'), dependencies: [] },
  ...{ hadDumper: 0, dataState: DATA_OFFSET_UNKNOWN },
}

function encodingEntry(encoding: string): TocEntry {
  return TocEntry.of({
    ...COMMON,
    ...{ dumpId: 1, oid: Buffer.from('0'), section: SECTION.preData },
    ...{ tag: Buffer.from('ENCODING'), desc: Buffer.from('ENCODING') },
    defn: Buffer.from(`SET client_encoding = '${encoding}';\n`),
  })
}

function dataEntry(dumpId: number, { oid, schema, name, copyStatement, definition }: TableData): TocEntry {
  return TocEntry.of({
    ...COMMON,
    ...{ dumpId, oid: Buffer.from(oid), section: SECTION.data, hadDumper: 1 },
    ...{
      tag: name,
      namespace: schema,
      desc: Buffer.from('TABLE DATA'),
    },
    defn: definition,
    copyStmt: copyStatement,
  })
}
