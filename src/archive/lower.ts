import type { Header } from './header.ts'
import { SECTION, TocEntry, text } from './toc.ts'

/** Version 1.16 (PostgreSQL 17) brought large objects by the group, and the kind of relation. */
const GROUPS = 16
const PARTITIONED_TABLE = 'p'.charCodeAt(0) // RELKIND_PARTITIONED_TABLE in pg_class.h

/**
 * The entries of an archive that was read as `read` for a reader of `written`, in the words it knows:
 *
 * - A group of large objects (BLOB METADATA, a list of OIDs) becomes one BLOB entry an object, as pg_dump 16 and
 *   earlier wrote them, and its ACL becomes one a piece (IssueCommandPerBlob, IssueACLPerBlob in
 *   pg_backup_archiver.c). The first keeps the ID of the group, so that what depends on it still does.
 * - Statistics are left out: they call functions of PostgreSQL 18, and ANALYZE makes them anew.
 * - A partitioned table loses its access method: without the kind, it would be taken for one that must be set.
 */
export function lowerToc(entries: readonly TocEntry[], read: Header, written: Header): readonly TocEntry[] {
  if (read.minor < GROUPS || written.minor >= GROUPS) return entries
  let lastId = entries.reduce((id, entry) => Math.max(id, entry.dumpId), 0)
  const groups = new Map<string, string[]>()
  const lowered: TocEntry[] = []
  for (const entry of entries) {
    const { desc, fields } = entry
    if (desc === 'STATISTICS DATA') continue
    if (desc === 'BLOB METADATA') {
      const oids = entry.definition.trim().split('\n')
      groups.set(String(entry.dumpId), oids)
      lowered.push(...oids.map((oid, n) => largeObject(entry, oid, n === 0 ? entry.dumpId : ++lastId)))
    } else if (desc === 'ACL' && entry.tag.startsWith('LARGE OBJECTS ')) {
      const oids = groups.get(text(fields.dependencies[0] ?? null)) ?? []
      lowered.push(...oids.map((oid, n) => largeObjectAcl(entry, oid, n === 0 ? entry.dumpId : ++lastId)))
    } else if (fields.relkind === PARTITIONED_TABLE) {
      lowered.push(new TocEntry({ ...fields, tableam: null }))
    } else {
      lowered.push(entry)
    }
  }
  return lowered
}

function largeObject({ fields }: TocEntry, oid: string, dumpId: number): TocEntry {
  return new TocEntry({
    ...fields,
    dumpId,
    oid: Buffer.from(oid),
    tag: Buffer.from(oid),
    desc: Buffer.from('BLOB'),
    section: SECTION.preData,
    defn: Buffer.from(`SELECT pg_catalog.lo_create('${oid}');\n`),
    dropStmt: Buffer.from(`SELECT pg_catalog.lo_unlink('${oid}');\n`),
  })
}

/** The text is ASCII around role names; latin1 keeps their bytes whatever their encoding. */
function largeObjectAcl({ fields }: TocEntry, oid: string, dumpId: number): TocEntry {
  const commands = fields.defn?.toString('latin1') ?? ''
  return new TocEntry({
    ...fields,
    dumpId,
    tag: Buffer.from(`LARGE OBJECT ${oid}`),
    defn: Buffer.from(commands.replaceAll(/ ON LARGE OBJECT \d+ /g, ` ON LARGE OBJECT ${oid} `), 'latin1'),
  })
}
