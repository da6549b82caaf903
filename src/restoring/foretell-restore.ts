import type { TocEntry } from '../archive/archive.ts'
import { tablespacesOf } from '../database/restore/tablespaces.ts'
import type { Step } from '../step/step.ts'
import { foretellEntries } from './choose-entries.ts'
import { foretellLostRights } from './lost-rights.ts'
import { noteTablespaces } from './note-tablespaces.ts'
import type { Target } from './target.ts'

/**
 * Says in a dry run what a restore would say when the table of contents arrives.
 *
 * @throws what the restore would throw then
 */
export async function foretellRestore(
  step: Step,
  target: Target,
  entries: readonly TocEntry[],
): Promise<void> {
  const { session, properties } = target
  await foretellLostRights(step, target)
  await foretellEntries(step, target, entries)
  await noteTablespaces(session, tablespacesOf(entries), properties?.tablespace ?? 'pg_default')
}
