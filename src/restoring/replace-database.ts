import { analyzeDatabase } from '../database/analyze.ts'
import { checkAssertions } from '../database/assertions.ts'
import { onDatabase } from '../database/connection/connection.ts'
import { identifier, Session } from '../database/connection/session.ts'
import { runHooks } from '../database/hooks.ts'
import { type Locale, readLocale } from '../database/locale.ts'
import { parseMarker } from '../database/marker.ts'
import { relatedName, temporaryName } from '../database/names.ts'
import {
  commentStatement,
  type Properties,
  propertyStatements,
  readProperties,
} from '../database/properties.ts'
import { dropDatabase, lockTarget, lookAtServer, openMaintenance, type Server } from '../database/server.ts'
import { copyDatabase, type Maker, markerText, settle, type TemporaryDatabase } from '../database/staging.ts'
import { refuseStandby } from '../database/standby.ts'
import { swapDatabases } from '../database/swap.ts'
import { sweepDatabases } from '../database/sweep.ts'
import { log } from '../report/log.ts'
import type { Context } from '../step/context.ts'
import { connectionOf, openClient, toolOptions } from '../step/prepare.ts'
import { dryRunSummary } from '../summary/database-summary.ts'
import { writeSummary } from '../summary/summary.ts'
import { anyClient, type PostgresClient } from '../tools/postgres/provide-client.ts'
import { checkOverwrite, checkPoints, checkProtected, checkRights } from './guards.ts'

/** The database that is to be replaced, the right to do so, and the claim on it. */
export type Target = {
  name: string
  server: Server
  /** On the maintenance database; it holds the claim. */
  session: Session
  client: PostgresClient
  /** Null when the target does not exist yet. */
  properties: Properties | null
  locale: Locale | null
  maker: Maker
}

/** What a command puts in the place of the target. */
export type Replacement<Result> = {
  /** What goes live, in words, for a dry run. */
  what: string
  /** Refuses what cannot be built, also before a dry run. */
  check?: (target: Target) => Promise<void>
  /** Builds it beside the target. It drops what it began when it fails. */
  build: (target: Target) => Promise<{ staging: TemporaryDatabase; result: Result }>
  /** Hooks that still have to run on it; a template may have had some already. */
  hooks: readonly string[]
}

export type Replaced<Result> = {
  result: Result
  database: string
  /** Name of the kept old database, with `reversible`. */
  previous: string | null
  server: Server
}

/**
 * Claim the target → build its replacement → hooks → assertions → atomic swap. The way of restore and of copy.
 *
 * @returns null after a dry run
 */
export async function replaceDatabase<Result>(
  context: Context,
  { what, check, build, hooks }: Replacement<Result>,
): Promise<Replaced<Result> | null> {
  const { environment, inputs } = context
  const { psql } = await anyClient(toolOptions(context))
  // Without the signal: this session cleans up after a cancelled run.
  await using session = await openMaintenance(connectionOf(context), inputs.maintenanceDatabase, {
    psql,
    environment,
    direct: true,
  })
  const target = await log.group('Look at the target', () => lookAtTarget(context, session))
  await check?.(target)
  if (inputs.dryRun) {
    await reportDryRun(context, describePlan(context, target, what, hooks))
    return null
  }
  await sweepDatabases(session, target.server)
  const { staging, result } = await build(target)
  const points: TemporaryDatabase[] = []
  try {
    await settle(target.maker, staging)
    if (inputs.reversible) points.push(await copyDatabase(target.maker, staging.name, target.name, null))
    await finish(context, target, staging, hooks)
    const previous = await swapIn(context, target, staging, points[0] ?? null)
    return { result, database: target.name, previous, server: target.server }
  } catch (error) {
    for (const database of [staging, ...points]) await database.drop()
    throw error
  }
}

/** Says in the log and in the summary what would have been done. */
export async function reportDryRun(context: Context, plan: string): Promise<void> {
  log.info(`Dry run: ${plan}`)
  await writeSummary(context, dryRunSummary(context.inputs.command, plan))
}

/** What would happen, in a sentence; everything that is checked before the work was checked by now. */
function describePlan(
  { inputs }: Context,
  { name, properties }: Target,
  what: string,
  hooks: readonly string[],
): string {
  const before = hooks.length === 0 ? '' : ` after ${hooks.length} pre-swap-hooks`
  const kept = inputs.reversible ? `be kept as "${relatedName(name, 'pre')}"` : 'be dropped'
  const old = properties ? `; the present "${name}" would ${kept}` : ''
  return `${what} would become "${name}"${before}${old}`
}

async function lookAtTarget(context: Context, session: Session): Promise<Target> {
  const connection = connectionOf(context)
  const name = connection.database
  checkProtected(context.inputs, connection)
  const server = await lookAtServer(session)
  refuseStandby(server, context.inputs.command)
  await lockTarget(session, name)
  const properties = await readProperties(session, name)
  await checkRights(session, server, name, properties)
  const client = await openClient(context, { serverMajor: server.major, purpose: 'restore' })
  await checkOverwrite(context, client, properties)
  if (context.inputs.reversible) await checkPoints(context, session)
  const locale = await readLocale(session, server, name)
  const what = properties ? 'will be replaced' : 'does not exist and will be created'
  log.info(`PostgreSQL ${server.version} at ${connection.label}, as "${server.role}"; "${name}" ${what}`)
  return {
    name,
    server,
    session,
    client,
    properties,
    locale,
    maker: { session, server, run: context.run.url },
  }
}

/** Hooks, assertions, statistics, and the properties of the database that is to be replaced. */
async function finish(
  context: Context,
  target: Target,
  { name, copied }: TemporaryDatabase,
  hooks: readonly string[],
): Promise<void> {
  const { client, properties, session } = target
  const connection = onDatabase(connectionOf(context), name)
  const options = { ...context, psql: client.psql }
  await runHooks('pre-swap-hooks', hooks, connection, options)
  await checkAssertions(context.inputs.verifySql, connection, options)
  if (!copied || hooks.length > 0) await analyze(context, target, name)
  // The comment is for the swap: until then it says that this is a staging database.
  if (properties) await session.execute(...propertyStatements(name, { ...properties, comment: null }))
}

/** Makes the planner's statistics of a database that nobody else works in. */
export function analyze(
  context: Context,
  { client, server }: Pick<Target, 'client' | 'server'>,
  database: string,
): Promise<void> {
  const connection = onDatabase(connectionOf(context), database)
  const open = () => Session.open(connection, { ...context, psql: client.psql })
  return analyzeDatabase({ open, major: server.major }, context.inputs.jobs)
}

/** Whether we made this database, so that we may replace and drop it without being told to. */
function isOurs(properties: Properties): boolean {
  return parseMarker(properties.comment) !== null
}

/** A comment of the user's is not ours to replace. */
function isMarkable(properties: Properties): boolean {
  return properties.comment === null || isOurs(properties)
}

/** @returns the name of the kept old database, if one is kept */
async function swapIn(
  context: Context,
  target: Target,
  staging: TemporaryDatabase,
  post: TemporaryDatabase | null,
): Promise<string | null> {
  const { session, server, name, properties } = target
  const mark = (kind: 'clone' | 'point' | 'old') => markerText(kind, name, context.run.url)
  // Our own mark of the last restore is written anew; what a user wrote, or did not write, stays.
  const comment = !properties || isOurs(properties) ? mark('clone') : properties.comment
  context.signal.throwIfAborted()
  const keep = context.inputs.reversible
  const keptComment = properties && isMarkable(properties) ? mark('point') : null
  const old = properties && { name: temporaryName(name), comment: keep ? keptComment : mark('old') }
  await swapDatabases(session, server, { database: name, staging: staging.name, old, comment })
  staging.release()
  log.info(`"${name}" is the new database now`)
  if (post) await keepAs(target, post.name, 'post', post)
  if (!old) return null
  if (keep) return keepAs(target, old.name, 'pre', null)
  await dropOld(target, old.name)
  return null
}

/** Makes a database a restore point, in the place of an older one. The replacement itself has succeeded by now. */
async function keepAs(
  { session, server, name, maker }: Target,
  database: string,
  suffix: 'pre' | 'post',
  temporary: TemporaryDatabase | null,
): Promise<string> {
  const point = relatedName(name, suffix)
  try {
    await dropDatabase(session, server, point)
    const properties = await readProperties(session, database)
    const comment = commentStatement(point, markerText('point', name, maker.run))
    await session.transaction(
      `ALTER DATABASE ${identifier(database)} RENAME TO ${identifier(point)}`,
      `ALTER DATABASE ${identifier(point)} ALLOW_CONNECTIONS true`,
      ...(properties && isMarkable(properties) ? [comment] : []),
    )
    temporary?.release()
    return point
  } catch (error) {
    log.warning(`The restore point could not become "${point}": ${(error as Error).message}`)
    return database
  }
}

async function dropOld({ session, server }: Target, name: string): Promise<void> {
  try {
    await dropDatabase(session, server, name)
  } catch (error) {
    log.warning(`The old database stays, closed, under the name "${name}": ${(error as Error).message}`)
  }
}
