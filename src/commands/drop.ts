import { onDatabase } from '../database/connection/connection.ts'
import type { Session } from '../database/connection/session.ts'
import { type DatabaseRow, readDatabases } from '../database/databases.ts'
import type { Fate } from '../database/fate.ts'
import { isClone, isPoint, isTemporary } from '../database/ownership.ts'
import { lockTarget } from '../database/server.ts'
import { lookAtPrimary } from '../database/standby.ts'
import { sweepDatabases } from '../database/sweep.ts'
import { dropOne, type Place, withPoints } from '../dropping/drop-database.ts'
import { dropDue } from '../dropping/drop-due.ts'
import { formatNames, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import { checkProtected } from '../restoring/guards.ts'
import { checkObstacles } from '../restoring/obstacles.ts'
import type { Step } from '../step/step.ts'
import { dropSummary, sweepSummary } from '../summary/database-summary.ts'
import { dropOutputs, type Outcome } from '../summary/outcome.ts'

/** Drops the database of `database-url` if this action made it, or with `databases` all of this action that are due. */
export async function drop(step: Step): Promise<Outcome> {
  const { inputs, target } = step
  const sweeps = inputs.databases.length > 0
  if (!sweeps) checkProtected(inputs, target)
  await using session = await step.maintenance({ direct: true, keepsTarget: sweeps })
  const server = await lookAtPrimary(session, inputs.command)
  const fates = await (sweeps ? dropDue : dropNamed)(step, { session, server })
  if (!inputs.dryRun) await sweep(step, session)
  const view = { label: target.label, dryRun: inputs.dryRun }
  return {
    outputs: dropOutputs(fates),
    summary: [sweeps ? sweepSummary(fates, view) : dropSummary(fates, view)],
    ...failureOf(fates),
  }
}

/** Drops one database with its restore points. A database that does not exist is not an error. */
async function dropNamed(step: Step, place: Place): Promise<Fate[]> {
  const { inputs, target } = step
  const { session } = place
  await lockTarget(session, target.database)
  const doomed = withPoints(await readDatabases(session), target.database)
  for (const database of doomed) checkDoomed(step, database)
  if (doomed.length === 0) {
    log.info(`There is no database "${target.database}" at ${target.label}; nothing to drop`)
    return []
  }
  const names = doomed.map(({ name }) => name)
  await checkObstacles(session, names)
  const fates: Fate[] = []
  for (const database of doomed)
    fates.push(await dropOne(inputs, place, database, `database-url names "${target.database}"`))
  return fates
}

function checkDoomed({ inputs, target }: Step, database: DatabaseRow): void {
  if (database.name === target.database) checkOurs(database, inputs.force)
  else checkProtected(inputs, onDatabase(target, database.name))
}

function checkOurs(database: DatabaseRow, force: boolean): void {
  const { name, marker, isTemplate } = database
  if (marker?.kind === 'template' && !force)
    throw new Error(
      `"${name}" is a template of instant previews, and template-cache decides when it goes; set force: true to drop it all the same`,
    )
  if (isTemplate) throw new Error(`"${name}" is a template database of the server; drop does not touch it`)
  const ours = isClone(database) || isPoint(database) || isTemporary(database)
  if (!ours && !force)
    throw new Error(`"${name}" was not made by this action; set force: true to drop it all the same`)
}

/** How many databases that could not be dropped the error names; the summary has all of them. */
const MAX_FAILURES = 3

function failureOf(fates: readonly Fate[]): Pick<Outcome, 'failure'> {
  const failed = fates.filter(({ fate }) => fate === 'failed')
  if (failed.length === 0) return {}
  const each = failed.map(({ name, reason }) => `"${name}" (${reason})`)
  return {
    failure: `${formatQuantity(failed.length, 'database')} could not be dropped: ${formatNames(each, MAX_FAILURES)}`,
  }
}

/** Removes what killed runs left on the server and in storage. A failure here never fails the step. */
async function sweep(step: Step, session: Session): Promise<void> {
  await sweepDatabases(session).catch((error) =>
    log.warning(`Could not look for leftovers: ${error.message}`),
  )
  if (step.inputs.location.kind !== 's3') return
  await step
    .storage()
    .then((storage) => storage.sweep())
    .catch((error) => log.warning(`Could not look for unfinished uploads: ${error.message}`))
}
