import type { TocEntry } from '../archive/archive.ts'
import type { Session } from '../database/connection/session.ts'
import { findLosses } from '../database/restore/losses.ts'
import { matchesGlob } from '../glob.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'

/** More lines would make the error too long. */
const MAX_LISTED = 50

/**
 * Refuses a restore in place that would take away what the dump does not have, except what `overwrite` names.
 *
 * @param entries those that are restored
 */
export async function refuseLosses(
  session: Session,
  entries: readonly TocEntry[],
  inputs: Pick<Inputs, 'ownerAndAcl' | 'overwriteNamed'>,
): Promise<void> {
  const found = await findLosses(session, entries, inputs)
  // The dump replaces the definition of a table, like its rows.
  const columns = found.filter((loss) => loss.startsWith('COLUMN '))
  if (columns.length > 0)
    log.warning(
      `Tables of the dump replace those of the target, which have more columns: ${columns.join('; ')}`,
    )
  const losses = found.filter((loss) => !columns.includes(loss))
  const isNamed = (loss: string) =>
    inputs.overwriteNamed.some((line) => matchesGlob(withoutRoles(loss), withoutRoles(line)))
  const accepted = losses.filter(isNamed)
  if (accepted.length > 0)
    log.warning(`Not in the dump, and replaced as overwrite says: ${accepted.join('; ')}`)
  const refused = losses.filter((loss) => !isNamed(loss))
  if (refused.length === 0) return
  const more = refused.length > MAX_LISTED ? `; and ${refused.length - MAX_LISTED} more` : ''
  for (const loss of refused) log.info(`Not in the dump: ${loss}`)
  throw new Error(
    `A restore in place would take away ${formatQuantity(refused.length, 'object')} that the dump does not have: ${refused.slice(0, MAX_LISTED).join('; ')}${more}. The target is unchanged. Set swap: true, use a newer dump, or name in overwrite, one per line, what may go (* matches any text)`,
  )
}

function withoutRoles(line: string): string {
  return line.replace(/ \(rights of .*\)$/, '')
}
