import { setTimeout as wait } from 'node:timers/promises'
import { clientEnvironment } from '../database/connection/connection.ts'
import { DatabaseError, literal, OBJECT_IN_USE, type Session } from '../database/connection/session.ts'
import { runHooks } from '../database/hooks.ts'
import { dumpArguments, dumpFilters, startDump } from '../database/pg-dump.ts'
import { countSessions, type Identity, isSameServer, readIdentity } from '../database/server.ts'
import { copyDatabase, createStaging, type TemporaryDatabase } from '../database/staging.ts'
import { startParallelDump } from '../dumping/parallel-dump.ts'
import { type Source as Looked, lookAtSource } from '../dumping/source-database.ts'
import { Meter, type Source as Stream } from '../process/transfer.ts'
import { formatBytes, formatDuration } from '../report/format.ts'
import { log } from '../report/log.ts'
import { countOutputs, setOutputs } from '../report/outputs.ts'
import { describeRows } from '../report/progress.ts'
import { startSelecting } from '../restoring/choose-entries.ts'
import { copyAlone } from '../restoring/copy-exclusively.ts'
import { replaceDatabase, type Target } from '../restoring/replace-database.ts'
import { databaseSink, finishRestore, moveArchive, sizesOf } from '../restoring/transfer-archive.ts'
import type { Context } from '../step/context.ts'
import { connectionOf } from '../step/prepare.ts'
import { Attempts } from '../step/retries.ts'
import { type Copied, copySummary } from '../summary/database-summary.ts'
import { writeSummary } from '../summary/summary.ts'

type Source = Looked & { identity: Identity }

/** Source database → staging database beside the target → hooks → atomic swap, with nothing stored in between. */
export async function copy(context: Context): Promise<void> {
  const started = Date.now()
  const attempts = new Attempts(context)
  const look = () =>
    lookAtSource(context, context.inputs.sourceConnection!, async (session) => ({
      identity: await readIdentity(session),
    }))
  const source = await attempts.run(() => log.group('Look at the source', look))
  const prepareSource = once(() => runPreDumpHooks(context, source))
  const replaced = await attempts.run(() =>
    replaceDatabase(context, {
      what: source.connection.label,
      check: async (target) => void (await chooseMethod(context, source, target)),
      build: async (target) => {
        await prepareSource()
        return build(context, source, target)
      },
      hooks: context.inputs.preSwapHooks,
    }),
  )
  if (!replaced) return
  const { result, database, previous, server } = replaced
  const where = { source: source.connection.label, target: connectionOf(context).label, database, previous }
  const effort = { durationMs: Date.now() - started, attempts: attempts.made }
  await report(context, { ...result, ...where, serverVersion: server.version, ...effort })
}

type Built = { staging: TemporaryDatabase; result: Pick<Copied, 'method' | 'counted'> }

/**
 * How to copy, by the inputs and by what is possible.
 *
 * @throws an Error when source and target are one database, or when the method that was asked for is not possible
 */
async function chooseMethod(context: Context, source: Source, target: Target): Promise<Copied['method']> {
  const same = isSameServer(source.identity, await readIdentity(target.session))
  if (same && source.identity.database === target.name) {
    throw new Error(
      `source-database-url and database-url are the same database, "${target.name}" of one server, however they are spelt`,
    )
  }
  const { copyMethod } = context.inputs
  if (copyMethod === 'stream') return 'stream'
  const obstacle = same ? await templateObstacle(context, source, target) : 'the source is on another server'
  if (copyMethod === 'template' && obstacle)
    throw new Error(`copy-method: template is not possible, because ${obstacle}`)
  return obstacle ? 'stream' : 'template'
}

/** When the target has been looked at, so that nothing is done to the source in vain. */
async function runPreDumpHooks(context: Context, { client, connection }: Source): Promise<void> {
  const options = { ...context, psql: client.psql }
  await runHooks('pre-dump-hooks', context.inputs.preDumpHooks, connection, options)
}

/** What the hooks did is done, whatever becomes of the attempt in which they ran. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null
  return () => {
    done ??= work()
    return done
  }
}

async function build(context: Context, source: Source, target: Target): Promise<Built> {
  const method = await chooseMethod(context, source, target)
  return (method === 'stream' ? streamCopy : templateCopy)(context, source, target)
}

/** Why the source's files cannot be copied, or null. */
async function templateObstacle(
  context: Context,
  { connection }: Source,
  { session, server }: Target,
): Promise<string | null> {
  const { inputs } = context
  if (Object.keys(dumpFilters(inputs)).length > 0)
    return 'a filter is given, and a file copy takes everything'
  const [row] = await session.query<{ allowed: boolean }>(
    `SELECT datistemplate OR pg_has_role(current_user, datdba, 'USAGE') AS allowed FROM pg_database WHERE datname = ${literal(connection.database)}`,
  )
  if (!server.superuser && !row?.allowed) return `"${server.role}" does not own the source`
  if (inputs.disconnectSource) return null
  const sessions = await lastingSessions(session, connection.database)
  return sessions > 0 ? `the source has ${sessions} sessions (disconnect-source: true ends them)` : null
}

/** Sessions that stay; the server takes a moment to end those that we have just closed. */
async function lastingSessions(session: Session, database: string): Promise<number> {
  for (let patience = 10; ; patience -= 1) {
    const sessions = await countSessions(session, database)
    if (sessions === 0 || patience === 0) return sessions
    await wait(50)
  }
}

/** A file copy on the server. Somebody may connect to the source at the last moment: then the stream does it. */
async function templateCopy(context: Context, source: Source, target: Target): Promise<Built> {
  const { inputs } = context
  const { database } = source.connection
  const tablespace = target.properties?.tablespace ?? null
  log.info(`Copying the files of "${database}" on the server`)
  try {
    const staging = inputs.disconnectSource
      ? await copyAlone(context, target, database)
      : await copyDatabase(target.maker, database, target.name, tablespace)
    return { staging, result: { method: 'template', counted: null } }
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.sqlstate !== OBJECT_IN_USE) throw error
    if (inputs.copyMethod === 'template') throw error
    log.info(`Somebody connected to "${database}"; copying by the stream instead`)
    return streamCopy(context, source, target)
  }
}

/** pg_dump → us → pg_restore. */
async function streamCopy(context: Context, source: Source, target: Target): Promise<Built> {
  const wanted = { locale: target.locale ?? source.locale, tablespace: target.properties?.tablespace ?? null }
  const staging = await createStaging(target.maker, target.name, wanted)
  try {
    const meter = new Meter()
    const { select } = startSelecting(context, { ...target, database: staging.name })
    const { sink, report: reportArchive } = await log.group(`Copy into ${staging.name}`, async () =>
      moveArchive(context, {
        openSource: () => openSource(context, source),
        openSink: databaseSink(context, target.client, staging.name, sizesOf(source.largeTables)),
        clientMajor: target.client.major,
        select,
        meter,
        total: { bytes: source.size, of: "the source's size" },
      }),
    )
    await finishRestore(sink, context.signal)
    const archive = reportArchive()
    log.info(`Copied ${formatBytes(archive.rawBytes)}, ${describeRows(archive)}`)
    return { staging, result: { method: 'stream', counted: archive } }
  } catch (error) {
    await staging.drop()
    throw error
  }
}

async function openSource(context: Context, source: Source): Promise<Stream> {
  const { client, connection } = source
  const parallel = await startParallelDump(context, source, { method: 'none' })
  if (parallel) return parallel.source
  const env = clientEnvironment(connection, context.environment)
  return startDump(client.pgDump, dumpArguments(context.inputs, 'ours'), env)
}

async function report(context: Context, copied: Copied): Promise<void> {
  log.info(`Copied ${copied.source} to ${copied.target} in ${formatDuration(copied.durationMs)}`)
  await writeSummary(context, copySummary(copied))
  setOutputs({
    database: copied.database,
    ...(copied.previous ? { 'previous-database': copied.previous } : {}),
    ...(copied.counted ? countOutputs(copied.counted) : {}),
    'server-version': copied.serverVersion,
    'duration-ms': copied.durationMs,
  })
}
