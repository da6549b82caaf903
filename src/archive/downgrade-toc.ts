import type { Header } from './header.ts'
import { SECTION, type TocEntry } from './toc.ts'

/** Version 1.16 (PostgreSQL 17) introduced groups of large objects, and the kind of relation. */
const GROUPS_MINOR = 16
const PARTITIONED_TABLE = 'p'.charCodeAt(0) // RELKIND_PARTITIONED_TABLE in pg_class.h

/**
 * Converts the entries of an archive with the header `read` for readers of the header `written`:
 *
 * - A group of large objects (BLOB METADATA, a list of OIDs) becomes one BLOB entry per object, as pg_dump 16 and
 *   earlier wrote them, and its ACL becomes one ACL per object (IssueCommandPerBlob, IssueACLPerBlob in
 *   pg_backup_archiver.c). The first keeps the ID of the group, so that dependencies on it remain valid.
 * - Statistics are left out: they call functions of PostgreSQL 18, and ANALYZE recreates them.
 * - A partitioned table loses its access method: without the kind of relation, readers would try to set it.
 */
export function downgradeToc(
  entries: readonly TocEntry[],
  read: Header,
  written: Header,
): readonly TocEntry[] {
  if (read.minor < GROUPS_MINOR || written.minor >= GROUPS_MINOR) return entries
  let lastId = entries.reduce((id, entry) => Math.max(id, entry.dumpId), 0)
  const groups = new Map<number, string[]>()
  const downgraded: TocEntry[] = []
  for (const entry of entries) {
    const { desc } = entry
    if (desc === 'STATISTICS DATA') continue
    if (desc === 'BLOB METADATA') {
      const oids = entry.definition.trim().split('\n')
      groups.set(entry.dumpId, oids)
      downgraded.push(...oids.map((oid, n) => largeObject(entry, oid, n === 0 ? entry.dumpId : ++lastId)))
    } else if (desc === 'ACL' && entry.tag.startsWith('LARGE OBJECTS ')) {
      const oids = groups.get(entry.dependencies[0] ?? 0) ?? []
      downgraded.push(...oids.map((oid, n) => largeObjectAcl(entry, oid, n === 0 ? entry.dumpId : ++lastId)))
    } else if (desc === 'TABLE' && entry.fields.relkind === PARTITIONED_TABLE) {
      downgraded.push(entry.with({ tableam: null }))
    } else {
      downgraded.push(entry)
    }
  }
  return downgraded
}

function largeObject(group: TocEntry, oid: string, dumpId: number): TocEntry {
  return group.with({
    dumpId,
    oid: Buffer.from(oid),
    tag: Buffer.from(oid),
    desc: Buffer.from('BLOB'),
    section: SECTION.preData,
    defn: Buffer.from(`SELECT pg_catalog.lo_create('${oid}');\n`),
    dropStmt: Buffer.from(`SELECT pg_catalog.lo_unlink('${oid}');\n`),
  })
}

/** The text is ASCII except for role names; latin1 preserves their bytes in every encoding. */
function largeObjectAcl(group: TocEntry, oid: string, dumpId: number): TocEntry {
  const commands = group.fields.defn?.toString('latin1') ?? ''
  return group.with({
    dumpId,
    tag: Buffer.from(`LARGE OBJECT ${oid}`),
    defn: Buffer.from(commands.replaceAll(/ ON LARGE OBJECT \d+ /g, ` ON LARGE OBJECT ${oid} `), 'latin1'),
  })
}
