import { onDatabase } from '../database/connection/connection.ts'
import type { Session } from '../database/connection/session.ts'
import { type DatabaseRow, readDatabases } from '../database/databases.ts'
import { isClone, isPoint, isPointOf, isTemporary } from '../database/ownership.ts'
import { dropDatabase, lockTarget, type Server } from '../database/server.ts'
import { lookAtPrimary } from '../database/standby.ts'
import { sweepDatabases } from '../database/sweep.ts'
import { formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import { checkProtected } from '../restoring/guards.ts'
import { checkObstacles } from '../restoring/obstacles.ts'
import type { Step } from '../step/step.ts'
import { dropSummary } from '../summary/database-summary.ts'
import type { Outcome } from '../summary/outcome.ts'

/** Drops a database that this action made, with its restore points. A database that does not exist is not an error. */
export async function drop(step: Step): Promise<Outcome> {
  const { inputs, target } = step
  checkProtected(inputs, target)
  await using session = await step.maintenance({ direct: true })
  const server = await lookAtPrimary(session, inputs.command)
  await lockTarget(session, target.database)
  const doomed = await chooseDatabases(step, session, target.database)
  if (doomed.length === 0)
    log.info(`There is no database "${target.database}" at ${target.label}; nothing to drop`)
  if (doomed.length > 0)
    await checkObstacles(
      session,
      doomed.map(({ name }) => name),
    )
  for (const database of doomed) await dropOne(step, session, server, database)
  if (!inputs.dryRun) await sweep(step, session)
  const names = doomed.map(({ name }) => name)
  return { outputs: {}, summary: [dropSummary(names, { label: target.label, dryRun: inputs.dryRun })] }
}

/** Returns the database and its restore points. The database is last, so that a killed run can be repeated. */
async function chooseDatabases(step: Step, session: Session, name: string): Promise<DatabaseRow[]> {
  const { inputs } = step
  const databases = await readDatabases(session)
  const database = databases.find((candidate) => candidate.name === name)
  if (database) checkOurs(database, inputs.force)
  const points = databases.filter((candidate) => isPointOf(candidate, name))
  for (const point of points) checkProtected(inputs, onDatabase(step.target, point.name))
  return database ? [...points, database] : points
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

async function dropOne(
  { inputs }: Step,
  session: Session,
  server: Server,
  { name, sessions }: DatabaseRow,
): Promise<void> {
  const who = sessions > 0 ? `, with ${formatQuantity(sessions, 'session')} in it` : ''
  if (inputs.dryRun) {
    log.info(`Would drop "${name}"${who}`)
    return
  }
  await dropDatabase(session, server, name)
  log.info(`Dropped "${name}"${who}`)
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
