import { TocEntry } from '../../src/archive/archive.ts'

type Description = Partial<
  Record<'tag' | 'namespace' | 'owner' | 'definition' | 'tableam', string> & {
    dumpId: number
    dependencies: number[]
  }
> & { desc: string }

let lastId = 0

/** An entry of a table of contents as pg_dump would write it, of the parts that matter to a test. */
export function entry({ dumpId = ++lastId, dependencies = [], ...texts }: Description): TocEntry {
  const bytes = (text: string | undefined) => (text === undefined ? null : Buffer.from(text))
  return TocEntry.of({
    ...{ dumpId, hadDumper: texts.desc === 'TABLE DATA' ? 1 : 0, section: 2, relkind: 0, dataState: 3 },
    ...{ tableOid: null, oid: null, dropStmt: null, copyStmt: null, tablespace: null, withOids: null },
    dependencies: dependencies.map((id) => Buffer.from(String(id))),
    desc: Buffer.from(texts.desc),
    tag: bytes(texts.tag),
    namespace: bytes(texts.namespace),
    owner: bytes(texts.owner),
    defn: bytes(texts.definition),
    tableam: bytes(texts.tableam),
  })
}
