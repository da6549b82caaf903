import type { TocEntry } from '../../archive/archive.ts'

/** Objects that are dropped with their table, view or domain, and that pg_restore also drops by themselves before that. */
const PART = /^(CONSTRAINT|CHECK CONSTRAINT|FK CONSTRAINT|DEFAULT|INDEX|TRIGGER|RULE)$/

/**
 * Returns the entries with drops of parts that are allowed to fail. `pg_restore --clean` drops constraints, indexes and
 * triggers before their table. Such a drop fails if a partition inherits the part, if the table in the target has no such
 * column, or if a domain does not exist, because ALTER DOMAIN has no IF EXISTS. `pg_restore` itself continues after that
 * error and drops the table next; a single transaction would end at the first error.
 */
export function passFailedPartDrops(entries: readonly TocEntry[]): readonly TocEntry[] {
  return entries.map((entry) => {
    const drop = entry.fields.dropStmt
    if (!drop?.length || !PART.test(entry.desc)) return entry
    return entry.with({ dropStmt: toleratingFailure(drop, entry.desc) })
  })
}

/**
 * Wraps a drop so that it may fail. A lock timeout remains an error, because every further drop would wait as long. The
 * comment is for `pg_restore`, which searches for these words to add IF EXISTS, and warns about the drop of a view's rule,
 * which is a CREATE OR REPLACE VIEW (RestoreArchive in pg_backup_archiver.c).
 */
function toleratingFailure(drop: Buffer, desc: string): Buffer {
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
