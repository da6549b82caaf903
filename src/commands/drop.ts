import { onDatabase } from '../database/connection/connection.ts'
import type { Session } from '../database/connection/session.ts'
import { type DatabaseRow, readDatabases } from '../database/databases.ts'
import { relatedName } from '../database/names.ts'
import { dropDatabase, lockTarget, lookAtServer, openMaintenance, type Server } from '../database/server.ts'
import { refuseStandby } from '../database/standby.ts'
import { hasTemporaryName, sweepDatabases } from '../database/sweep.ts'
import { log } from '../report/log.ts'
import { setOutputs } from '../report/outputs.ts'
import { checkProtected } from '../restoring/guards.ts'
import type { Context } from '../step/context.ts'
import { connectionOf, openStorage, toolOptions } from '../step/prepare.ts'
import { dropSummary } from '../summary/database-summary.ts'
import { writeSummary } from '../summary/summary.ts'
import { anyClient } from '../tools/postgres/provide-client.ts'

/** Drops a database that this action made, with its restore points. One that is not there is fine. */
export async function drop(context: Context): Promise<void> {
  const started = Date.now()
  const { inputs, environment } = context
  const connection = connectionOf(context)
  checkProtected(inputs, connection)
  const { psql } = await anyClient(toolOptions(context))
  await using session = await openMaintenance(connection, inputs.maintenanceDatabase, {
    psql,
    environment,
    direct: true,
  })
  const server = await lookAtServer(session)
  refuseStandby(server, inputs.command)
  await lockTarget(session, connection.database)
  const doomed = await chooseDatabases(context, session, connection.database)
  if (doomed.length === 0)
    log.info(`There is no database "${connection.database}" at ${connection.label}; nothing to drop`)
  for (const database of doomed) await dropOne(context, session, server, database)
  if (!inputs.dryRun) await sweep(context, session, server)
  const names = doomed.map(({ name }) => name)
  await writeSummary(context, dropSummary(names, { label: connection.label, dryRun: inputs.dryRun }))
  setOutputs({ 'duration-ms': Date.now() - started })
}

/** The database and its restore points, the database last, so that a killed run can be run again. */
async function chooseDatabases(context: Context, session: Session, name: string): Promise<DatabaseRow[]> {
  const { inputs } = context
  const databases = await readDatabases(session)
  const database = databases.find((candidate) => candidate.name === name)
  if (database) checkOurs(database, inputs.force)
  const points = [relatedName(name, 'pre'), relatedName(name, 'post')]
  const ours = databases.filter(
    ({ marker, ...candidate }) =>
      marker?.of === name &&
      // A run that was killed right after the swap leaves the old database under its temporary name.
      (points.includes(candidate.name) || (marker.kind === 'point' && hasTemporaryName(candidate))),
  )
  for (const point of ours) checkProtected(inputs, onDatabase(connectionOf(context), point.name))
  return database ? [...ours, database] : ours
}

function checkOurs({ name, marker, isTemplate }: DatabaseRow, force: boolean): void {
  if (marker?.kind === 'template' && !force)
    throw new Error(
      `"${name}" is a template of instant previews, and template-cache decides when it goes; set force: true to drop it all the same`,
    )
  if (isTemplate) throw new Error(`"${name}" is a template database of the server; drop does not touch it`)
  if (!marker && !force)
    throw new Error(`"${name}" was not made by this action; set force: true to drop it all the same`)
}

async function dropOne(
  { inputs }: Context,
  session: Session,
  server: Server,
  { name, sessions }: DatabaseRow,
): Promise<void> {
  const who = sessions > 0 ? `, with ${sessions} sessions in it` : ''
  if (inputs.dryRun) {
    log.info(`Would drop "${name}"${who}`)
    return
  }
  await dropDatabase(session, server, name)
  log.info(`Dropped "${name}"${who}`)
}

/** What killed runs left on the server and in storage. It is not what the step is for, so it never fails the step. */
async function sweep(context: Context, session: Session, server: Server): Promise<void> {
  await sweepDatabases(session, server).catch((error) =>
    log.warning(`Could not look for leftovers: ${error.message}`),
  )
  if (context.inputs.location.kind !== 's3') return
  await openStorage(context)
    .then((storage) => storage.sweep())
    .catch((error) => log.warning(`Could not look for unfinished uploads: ${error.message}`))
}
