import type { Connection } from '../database/connection/connection.ts'
import type { Session } from '../database/connection/session.ts'
import type { Selection } from '../database/selection.ts'
import type { MaskPlan } from '../masking/plan.ts'
import type { Subset } from '../masking/subset/result.ts'
import { computeSubset } from '../masking/subset/subset.ts'
import { subsetLines, subsetWarnings } from '../masking/subset/subset-text.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { Masking } from './masking.ts'

/** A subset, and the session whose temporary tables have its rows. */
export type OpenSubset = { subset: Subset; session: Session }

/**
 * Computes the rows that a dump contains, and writes them into the log.
 *
 * @returns null if every table has all of its rows or none, and no row refers to one that is left out
 */
export async function openSubset(
  step: Step,
  connection: Connection,
  { file }: Masking,
  planned: { plan: MaskPlan; selection: Selection; snapshot: string },
): Promise<OpenSubset | null> {
  await using scope = new AsyncDisposableStack()
  const session = scope.use(await step.session(connection, { direct: true, readsRows: true }))
  const subset = await computeSubset(session, { ...planned, references: file.references })
  if (!subset) return null
  await log.group(`Rows of ${file.file}`, async () => {
    for (const line of subsetLines(subset)) log.info(line)
  })
  for (const warning of subsetWarnings(subset)) log.warning(`mask ${file.file}: ${warning}`)
  scope.move()
  return { subset, session }
}
