import { allOf } from '../all-of.ts'
import type { TocEntry } from '../archive/archive.ts'
import { analyzeDatabase } from '../database/analyze.ts'
import { clientEnvironment } from '../database/connection/connection.ts'
import type { Session } from '../database/connection/session.ts'
import { runHooks } from '../database/hooks.ts'
import { readProperties } from '../database/properties.ts'
import { startInPlace } from '../database/restore/in-place.ts'
import { refuseHiddenRows } from '../database/row-security.ts'
import { lockTarget, type Server } from '../database/server.ts'
import { lookAtPrimary } from '../database/standby.ts'
import { messageOf, PermanentError } from '../errors.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { LiveDatabase, Outcome } from '../summary/outcome.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'
import { chooseEntries } from './choose-entries.ts'
import { createRoles } from './create-roles.ts'
import { downloadDump, type Received, readEntries, UNTOUCHED } from './download-dump.ts'
import type { Dump } from './find-dump.ts'
import { checkOverwrite, checkProtected } from './guards.ts'
import { dryRun } from './replace-database.ts'

/** The restored content; `transferMs` is null for a copy of a template. */
export type Content = Pick<Received, 'sha256' | 'counted'> & { transferMs: number | null }

/** The content and the database that has it. */
export type Restored = Content & LiveDatabase

/**
 * Restores in one transaction on the live database, for servers where no database can be created.
 *
 * @returns the outcome of the step after a dry run
 */
export async function restoreInPlace(step: Step, find: () => Promise<Dump>): Promise<Restored | Outcome> {
  const { inputs, target: connection } = step
  await using scope = new AsyncDisposableStack()
  const look = () => lookInPlace(step, scope)
  const [dump, { session, server, client }] = await log.group('Prepare', () => allOf([find(), look()]))
  const receiver = { server, client, database: connection.database, untouched: UNTOUCHED }
  await createRoles(inputs, dump, { session, server })
  if (inputs.dryRun) {
    await chooseEntries(step, receiver).select(await readEntries(dump))
    return dryRun('restore', `${dump.chosen.key} would be restored into "${connection.database}" in place`)
  }
  const env = clientEnvironment(connection, step.environment)
  const beforeCommit = inputs.preSwapHooks.length > 0 ? [refuseHiddenRows()] : []
  log.info(
    'Restoring in place, in one transaction: objects of the dump replace those of the same name with all that belongs to them, others stay',
  )
  const open = async (entries: () => readonly TocEntry[]) =>
    startInPlace(client, server, { inputs, env, entries, beforeCommit })
  const received = await downloadDump(step, dump, receiver, open)
  await finishInPlace(step, client, server)
  return { ...received, database: connection.database, previous: null, serverVersion: server.version }
}

/** Looks at the live database and locks it until the end of the scope. */
async function lookInPlace(
  step: Step,
  scope: AsyncDisposableStack,
): Promise<{ session: Session; server: Server; client: PostgresClient }> {
  const { inputs, target: connection } = step
  checkProtected(inputs, connection)
  const session = scope.use(await step.session(connection, { direct: true }))
  const server = await lookAtPrimary(session, inputs.command)
  await lockTarget(session, connection.database)
  const client = await step.client({ serverMajor: server.major, purpose: 'restore' })
  await checkOverwrite(step, server, await readProperties(session, connection.database))
  return { session, server, client }
}

/** Runs hooks and ANALYZE. The data is live by now, so a failure is permanent: it must not repeat the restore. */
async function finishInPlace(step: Step, client: PostgresClient, { major }: Server): Promise<void> {
  const { inputs, target } = step
  try {
    await runHooks('pre-swap-hooks', inputs.preSwapHooks, target, step.hookOptions(client))
    await analyzeDatabase({ open: () => step.session(target), major }, inputs.jobs)
  } catch (error) {
    throw new PermanentError(
      `The restore in place is committed, but the hooks or ANALYZE after it failed: ${messageOf(error)}`,
      { cause: error },
    )
  }
}
