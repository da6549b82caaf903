import type { Context } from '../context.ts'
import { checkAssertions } from '../database/assertions.ts'
import { clientEnvironment, onDatabase } from '../database/connection.ts'
import { runHooks } from '../database/hooks.ts'
import { startInPlace } from '../database/in-place.ts'
import { type Locale, readLocale } from '../database/locale.ts'
import { parseMarker } from '../database/marker.ts'
import { relatedName, temporaryName } from '../database/names.ts'
import { type Properties, propertyStatements, readProperties } from '../database/properties.ts'
import { identifier, literal, Session } from '../database/psql.ts'
import { dropDatabase, lockTarget, lookAtServer, openMaintenance, type Server } from '../database/server.ts'
import { copyDatabase, createStaging, markerText, type TemporaryDatabase } from '../database/staging.ts'
import { swapDatabases } from '../database/swap.ts'
import { log } from '../report/log.ts'
import { countOutputs, setOutputs } from '../report/outputs.ts'
import { restoreSummary, writeSummary } from '../report/summary.ts'
import type { Chosen } from '../storage/catalogue.ts'
import { parseDumpKey } from '../storage/keys.ts'
import { anyClient, type PostgresClient } from '../tools/postgres.ts'
import { fill } from './fill.ts'
import { connectionOf, openClient, toolOptions } from './prepare.ts'
import { type Dump, findDump, type Received, receive } from './receive.ts'

/** What a restore ended with, for the report. */
export type Restored = {
  dump: Chosen
  uri: string
  received: Received
  database: string
  previous: string | null
  serverVersion: string
  durationMs: number
}

/** Stored dump → staging database → checks → hooks → atomic swap. */
export async function restore(context: Context): Promise<void> {
  const started = Date.now()
  const [dump, { psql }] = await Promise.all([findDump(context), anyClient(toolOptions(context))])
  const result = context.inputs.swap
    ? await restoreAndSwap(context, dump, psql)
    : await restoreInPlace(context, dump, psql)
  await report(context, {
    ...result,
    dump: dump.chosen,
    uri: dump.storage.address(dump.chosen.key),
    durationMs: Date.now() - started,
  })
}

type Target = {
  name: string
  server: Server
  session: Session
  client: PostgresClient
  /** Null when the target does not exist yet. */
  properties: Properties | null
  locale: Locale | null
}

type Outcome = Pick<Restored, 'received' | 'database' | 'previous' | 'serverVersion'>

async function restoreAndSwap(context: Context, dump: Dump, psql: string): Promise<Outcome> {
  const connection = connectionOf(context)
  const { environment, inputs } = context
  // Without the signal: this session cleans up after a cancelled run.
  await using session = await openMaintenance(connection, inputs.maintenanceDatabase, { psql, environment })
  const target = await log.group('Prepare', () => lookAtTarget(context, dump, session))
  const maker = { session, server: target.server, run: context.run.url }
  const wanted = { locale: target.locale, tablespace: target.properties?.tablespace ?? null }
  const staging = await createStaging(maker, target.name, wanted)
  const points: TemporaryDatabase[] = []
  try {
    const received = await log.group(`Restore into ${staging.name}`, () =>
      fill(context, dump, target.client, staging.name),
    )
    if (inputs.reversible) points.push(await copyDatabase(maker, staging.name, target.name))
    await finishStaging(context, target, staging.name)
    const previous = await swapIn(context, target, staging, points[0] ?? null)
    return { received, database: target.name, previous, serverVersion: target.server.version }
  } catch (error) {
    for (const database of [staging, ...points]) await database.drop()
    throw error
  }
}

/** The target as it is, the right to replace it, and the claim on it. */
async function lookAtTarget(context: Context, { chosen }: Dump, session: Session): Promise<Target> {
  const name = connectionOf(context).database
  if (/^template[01]$/.test(name)) throw new Error(`database-url names ${name}, which belongs to the server`)
  const server = await lookAtServer(session)
  if (server.standby)
    throw new Error('The server of database-url is a standby; nothing can be restored into it')
  await lockTarget(session, name)
  const properties = await readProperties(session, name)
  await checkRights(session, server, name, properties)
  const locale = (await readLocale(session, server, name)) ?? chosen.manifest?.locale ?? null
  const what = properties ? 'will be replaced' : 'does not exist and will be created'
  log.info(
    `PostgreSQL ${server.version} at ${connectionOf(context).label}, as "${server.role}"; "${name}" ${what}`,
  )
  const client = await openClient(context, { serverMajor: server.major, purpose: 'restore' })
  return { name, server, session, client, properties, locale }
}

async function checkRights(
  session: Session,
  server: Server,
  name: string,
  properties: Properties | null,
): Promise<void> {
  if (!server.createdb) {
    throw new Error(
      `The role "${server.role}" may not create databases (CREATEDB); grant it, or set swap: false to restore in place`,
    )
  }
  if (!properties || server.superuser) return
  const [row] = await session.query<{ owns: boolean }>(
    `SELECT pg_has_role(current_user, ${literal(properties.owner)}, 'USAGE') AS owns`,
  )
  if (!row!.owns) {
    throw new Error(
      `The role "${server.role}" does not own "${name}" ("${properties.owner}" does), so it cannot replace it`,
    )
  }
}

/** Hooks, statistics and the properties of the database that is to be replaced. */
async function finishStaging(
  context: Context,
  { client, properties, session }: Target,
  staging: string,
): Promise<void> {
  const connection = onDatabase(connectionOf(context), staging)
  await runHooks('pre-swap-hooks', context.inputs.preSwapHooks, connection, { ...context, psql: client.psql })
  await checkAssertions(context.inputs.verifySql, connection, { ...context, psql: client.psql })
  await analyze(context, client, staging)
  if (properties) await session.execute(...propertyStatements(staging, withoutMarker(properties)))
}

/** A dump carries no planner statistics; without them the first queries are slow. */
async function analyze(context: Context, { psql }: PostgresClient, database: string): Promise<void> {
  await using session = await Session.open(onDatabase(connectionOf(context), database), { ...context, psql })
  await session.execute('ANALYZE')
}

/** Our own mark of the last restore is written anew; a comment of the user's stays. */
function withoutMarker(properties: Properties): Properties {
  return parseMarker(properties.comment) ? { ...properties, comment: null } : properties
}

/** @returns the name of the kept old database, if one is kept */
async function swapIn(
  context: Context,
  target: Target,
  staging: TemporaryDatabase,
  post: TemporaryDatabase | null,
): Promise<string | null> {
  const { session, server, name, properties } = target
  const ours = !properties || parseMarker(properties.comment) !== null
  if (ours) await comment(session, staging.name, markerText('clone', name, context.run.url))
  context.signal.throwIfAborted()
  const keep = context.inputs.reversible
  const old = properties && {
    name: temporaryName(name),
    comment: keep ? null : markerText('old', name, context.run.url),
  }
  await swapDatabases(session, server, { database: name, staging: staging.name, old })
  staging.release()
  log.info(`"${name}" is the restored database now`)
  if (post) await keepAs(target, post.name, relatedName(name, 'post'), post)
  if (!old) return null
  if (keep) return keepAs(target, old.name, relatedName(name, 'pre'), null)
  await dropOld(target, old.name)
  return null
}

async function comment(session: Session, database: string, text: string): Promise<void> {
  await session.execute(`COMMENT ON DATABASE ${identifier(database)} IS ${literal(text)}`)
}

/** Gives a database the name of a restore point, in the place of an older one. The restore itself has succeeded by now. */
async function keepAs(
  { session, server }: Target,
  database: string,
  point: string,
  temporary: TemporaryDatabase | null,
): Promise<string> {
  try {
    await dropDatabase(session, server, point)
    await session.execute(`ALTER DATABASE ${identifier(database)} RENAME TO ${identifier(point)}`)
    await session.execute(`ALTER DATABASE ${identifier(point)} ALLOW_CONNECTIONS true`)
    temporary?.release()
    return point
  } catch (error) {
    log.warning(`The restore point stays under the name "${database}": ${(error as Error).message}`)
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

/** For servers where no database can be created: everything in one transaction on the live database. */
async function restoreInPlace(context: Context, dump: Dump, psql: string): Promise<Outcome> {
  const connection = connectionOf(context)
  await using session = await Session.open(connection, { psql, environment: context.environment })
  await lockTarget(session, connection.database)
  const server = await lookAtServer(session)
  const client = await openClient(context, { serverMajor: server.major, purpose: 'restore' })
  const env = clientEnvironment(connection, context.environment)
  log.info(
    `Restoring in place, in one transaction: objects of the dump replace those of the same name, all others stay`,
  )
  const open = async () => startInPlace(client, server.major, context.inputs, env)
  const received = await receive(context, dump, client.major, open)
  await runHooks('pre-swap-hooks', context.inputs.preSwapHooks, connection, { ...context, psql: client.psql })
  await analyze(context, client, connection.database)
  return { received, database: connection.database, previous: null, serverVersion: server.version }
}

async function report(context: Context, restored: Restored): Promise<void> {
  const { dump } = restored
  await writeSummary(context, restoreSummary(restored))
  setOutputs({
    'dump-key': dump.key,
    'dump-uri': restored.uri,
    'dump-size': dump.size,
    'dump-sha256': restored.received.sha256,
    'created-at': parseDumpKey(dump.key)?.createdAt ?? dump.manifest?.createdAt ?? '',
    ...countOutputs(restored.received.archive),
    'server-version': restored.serverVersion,
    database: restored.database,
    ...(restored.previous ? { 'previous-database': restored.previous } : {}),
    'duration-ms': restored.durationMs,
  })
}
