import { TocEntry } from '../../archive/archive.ts'

/** What goes with its table, view or domain, and has a drop of its own before that. */
const PART = /^(CONSTRAINT|CHECK CONSTRAINT|FK CONSTRAINT|DEFAULT|INDEX|TRIGGER|RULE)$/

/**
 * The entries with drops of parts that may fail. `pg_restore --clean` drops constraints, indexes and triggers before the
 * table that has them. Such a drop fails when a partition inherits the part, when the target's table has no such column,
 * and for a domain that is not there, because ALTER DOMAIN has no IF EXISTS. `pg_restore` itself goes on after that
 * error, and the drop of the whole follows. In one transaction the first error would be the end.
 */
export function passFailedPartDrops(entries: readonly TocEntry[]): readonly TocEntry[] {
  return entries.map((entry) => {
    const drop = entry.fields.dropStmt
    if (!drop?.length || !PART.test(entry.desc)) return entry
    return new TocEntry({ ...entry.fields, dropStmt: passing(drop, entry.desc) })
  })
}

/**
 * Waiting for a lock in vain stays an error, because every further drop would wait as long. The comment is for
 * `pg_restore`, which looks for these words to add IF EXISTS and warns about a drop of a view's rule, which is a
 * CREATE OR REPLACE VIEW (RestoreArchive in pg_backup_archiver.c).
 */
function passing(drop: Buffer, desc: string): Buffer {
  let tag = '$pgclone$'
  while (drop.includes(tag)) tag = tag.replace('$', '$_')
  return Buffer.concat([
    Buffer.from(`DO ${tag} BEGIN `),
    drop,
    Buffer.from(
      `/* DROP ${desc} */ EXCEPTION WHEN lock_not_available OR deadlock_detected THEN RAISE; WHEN OTHERS THEN NULL; END ${tag};\n`,
    ),
  ])
}
