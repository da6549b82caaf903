import { clientEnvironment } from '../database/connection/connection.ts'
import { Session } from '../database/connection/session.ts'
import { runHooks } from '../database/hooks.ts'
import { readProperties } from '../database/properties.ts'
import { startInPlace } from '../database/restore/in-place.ts'
import { lockTarget, lookAtServer } from '../database/server.ts'
import { createStaging, type TemporaryDatabase } from '../database/staging.ts'
import { refuseStandby } from '../database/standby.ts'
import { FinalError } from '../errors.ts'
import { formatDuration } from '../report/format.ts'
import { log } from '../report/log.ts'
import { countOutputs, setOutputs } from '../report/outputs.ts'
import { checkOverwrite, checkProtected } from '../restoring/guards.ts'
import { type Dump, findDump, type Received, receive } from '../restoring/receive.ts'
import { replaceDatabase, reportDryRun, type Target } from '../restoring/replace-database.ts'
import { restorePoint } from '../restoring/restore-point.ts'
import { copyFromTemplate, splitHooks } from '../restoring/template-cache.ts'
import { databaseSink, sizesIn } from '../restoring/transfer-archive.ts'
import type { Context } from '../step/context.ts'
import { connectionOf, openClient, placeOf, toolOptions } from '../step/prepare.ts'
import { Attempts } from '../step/retries.ts'
import { parseDumpKey } from '../storage/keys.ts'
import type { Manifest } from '../storage/manifest.ts'
import { type Restored, restoreSummary } from '../summary/dump-summary.ts'
import { writeSummary } from '../summary/summary.ts'
import { anyClient, type PostgresClient } from '../tools/postgres/provide-client.ts'

type Content = Pick<Received, 'sha256' | 'counted'>

type Built = { staging: TemporaryDatabase; result: Content }

type Outcome = Content & Pick<Restored, 'database' | 'previous' | 'serverVersion'>

/** Stored dump → staging database → checks → hooks → atomic swap. */
export async function restore(context: Context): Promise<void> {
  if (context.inputs.dumpKey.startsWith(':')) return restorePoint(context)
  const started = Date.now()
  const attempts = new Attempts(context)
  const dump = await attempts.run(() => findDump(context))
  const restoreOnce = context.inputs.swap ? restoreAndSwap : restoreInPlace
  const outcome = await attempts.run(() => restoreOnce(context, dump))
  if (!outcome) return
  const { key, size, manifest } = dump.chosen
  const place = placeOf(context, dump.storage, key)
  const target = connectionOf(context).label
  const effort = { durationMs: Date.now() - started, attempts: attempts.made }
  await report(context, { ...outcome, key, size, manifest, place, target, ...effort })
}

/** @returns null after a dry run */
async function restoreAndSwap(context: Context, dump: Dump): Promise<Outcome | null> {
  const { inputs } = context
  const { manifest } = dump.chosen
  // Beside the restore, because nothing waits for it.
  const swept = dump.storage.sweep().catch((error) => log.debug(`Unfinished uploads: ${error.message}`))
  if (inputs.templateCache > 0 && !manifest)
    log.warning('template-cache has no effect on a dump without a manifest')
  const cached = inputs.templateCache > 0 && manifest !== null
  const build = (target: Target) => {
    const restoreIt = () => restoreBeside(context, dump, target)
    return cached ? restoreByTemplate(context, manifest, target, restoreIt) : restoreIt()
  }
  const hooks = cached ? splitHooks(inputs).live : inputs.preSwapHooks
  const replaced = await replaceDatabase(context, { what: dump.chosen.key, build, hooks })
  await swept
  if (!replaced) return null
  const { result, database, previous, server } = replaced
  return { ...result, database, previous, serverVersion: server.version }
}

/** By the template of this dump; what the dump holds was checked when the template was made. */
async function restoreByTemplate(
  context: Context,
  manifest: Manifest,
  target: Target,
  restoreIt: () => Promise<Built>,
): Promise<Built> {
  const staging = await copyFromTemplate(context, manifest, target, async () => (await restoreIt()).staging)
  return { staging, result: { sha256: manifest.sha256, counted: manifest } }
}

/** A staging database with the dump in it. */
async function restoreBeside(
  context: Context,
  dump: Dump,
  { name, server, client, maker, locale, properties }: Target,
): Promise<Built> {
  const wanted = {
    locale: locale ?? dump.chosen.manifest?.locale ?? null,
    tablespace: properties?.tablespace ?? null,
  }
  const staging = await createStaging(maker, name, wanted)
  try {
    const result = await log.group(`Restore into ${staging.name}`, async () =>
      receive(
        context,
        dump,
        { server, client, database: staging.name },
        databaseSink(context, client, staging.name, sizesIn(dump.chosen.manifest)),
      ),
    )
    return { staging, result }
  } catch (error) {
    await staging.drop()
    throw error
  }
}

/** For servers where no database can be created: everything in one transaction on the live database. */
async function restoreInPlace(context: Context, dump: Dump): Promise<Outcome | null> {
  const connection = connectionOf(context)
  checkProtected(context.inputs, connection)
  const { psql } = await anyClient(toolOptions(context))
  const options = { psql, environment: context.environment, direct: true }
  await using session = await Session.open(connection, options)
  const server = await lookAtServer(session)
  refuseStandby(server, context.inputs.command)
  await lockTarget(session, connection.database)
  const client = await openClient(context, { serverMajor: server.major, purpose: 'restore' })
  await checkOverwrite(context, client, await readProperties(session, connection.database))
  if (context.inputs.dryRun) {
    await reportDryRun(context, `${dump.chosen.key} would be restored into "${connection.database}" in place`)
    return null
  }
  const env = clientEnvironment(connection, context.environment)
  log.info(
    'Restoring in place, in one transaction: objects of the dump replace those of the same name, all others stay',
  )
  const open = async () => startInPlace(client, server.major, context.inputs, env)
  const received = await receive(context, dump, { server, client, database: connection.database }, open)
  await finishInPlace(context, client)
  return { ...received, database: connection.database, previous: null, serverVersion: server.version }
}

/** The data is live by now, so that no failure here is a reason to restore once more. */
async function finishInPlace(context: Context, client: PostgresClient): Promise<void> {
  const connection = connectionOf(context)
  try {
    await runHooks('pre-swap-hooks', context.inputs.preSwapHooks, connection, {
      ...context,
      psql: client.psql,
    })
    await using session = await Session.open(connection, { ...context, psql: client.psql })
    await session.execute('ANALYZE')
  } catch (error) {
    throw new FinalError(
      `The restore in place is committed, and what follows it failed: ${(error as Error).message}`,
      {
        cause: error,
      },
    )
  }
}

async function report(context: Context, restored: Restored): Promise<void> {
  const { key, previous } = restored
  log.info(`Restored ${key} into ${restored.target} in ${formatDuration(restored.durationMs)}`)
  await writeSummary(context, restoreSummary(restored))
  setOutputs({
    'dump-key': key,
    'dump-uri': restored.place.uri,
    'dump-size': restored.size,
    'dump-sha256': restored.sha256,
    'created-at': parseDumpKey(key)?.createdAt ?? '',
    ...countOutputs(restored.counted),
    'server-version': restored.serverVersion,
    database: restored.database,
    ...(previous ? { 'previous-database': previous } : {}),
    'duration-ms': restored.durationMs,
  })
}
