import { setTimeout as wait } from 'node:timers/promises'
import { readContents } from '../archive/archive.ts'
import { clientEnvironment } from '../database/connection/connection.ts'
import { DatabaseError, literal, OBJECT_IN_USE, type Session } from '../database/connection/session.ts'
import { runHooks } from '../database/hooks.ts'
import { dumpArguments, dumpFilters, startDump, untilFinished } from '../database/pg-dump.ts'
import { countSessions, isSameServer, readIdentity } from '../database/server.ts'
import { copyDatabase, type TemporaryDatabase } from '../database/staging.ts'
import { withAdditions } from '../dumping/complete-archive.ts'
import { type Masked, startMaskedDump } from '../dumping/masked-dump.ts'
import { type Masking, readMasking } from '../dumping/masking.ts'
import { startParallelDump } from '../dumping/parallel-dump.ts'
import { chooseAgain, lookAtSource, type SourceDatabase } from '../dumping/source-database.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { Counter, type Source } from '../process/transfer.ts'
import { formatBytes, formatDuration, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import { describeRows } from '../report/progress.ts'
import { chooseEntries } from '../restoring/choose-entries.ts'
import { copyExclusively } from '../restoring/copy-exclusively.ts'
import { foretellRestore } from '../restoring/foretell-restore.ts'
import { type Replaced, replaceDatabase } from '../restoring/replace-database.ts'
import { createStagingFor, type Target } from '../restoring/target.ts'
import { databaseSink, finishRestore, sizesOf, transferArchive } from '../restoring/transfer-archive.ts'
import type { Step } from '../step/step.ts'
import { copySummary } from '../summary/database-summary.ts'
import type { Markdown } from '../summary/markdown.ts'
import { maskSummary } from '../summary/mask-summary.ts'
import { countOutputs, liveOutputs, type Outcome } from '../summary/outcome.ts'

/** Copies the source into a staging database beside the target, runs hooks on it and swaps it in. Nothing is stored. */
export async function copy(step: Step): Promise<Outcome> {
  const masking = await readMasking(step)
  const looked = await step.retry(() =>
    log.group('Look at the source', () => lookAtSource(step, step.source)),
  )
  const source = { ...looked, masking }
  const prepareSource = once(() => runPreDumpHooks(step, source))
  let foretold: Masked | null = null
  const replaced = await step.retry(() =>
    replaceDatabase(step, async () => ({
      what: source.connection.label,
      check: async (target) => {
        const method = await chooseMethod(step.inputs, source, target)
        if (step.inputs.dryRun && method === 'stream') foretold = await foretellStream(step, source, target)
      },
      build: async (target) => {
        await prepareSource()
        return build(step, source, target)
      },
      hooks: step.inputs.preSwapHooks,
    })),
  )
  if ('outputs' in replaced) return { ...replaced, summary: [...replaced.summary, ...maskPlan(foretold)] }
  return describeCopy(step, source, replaced)
}

/** The database that is copied, and how its data is masked; null if it is not. */
type CopySource = SourceDatabase & { masking: Masking | null }

type Method = 'stream' | 'template'

type Content = {
  method: Method
  /** What a streamed copy counted. A file copy counts nothing. */
  counted: { tables: readonly unknown[]; rows: number | null } | null
  /** Null if the data is not masked. */
  masked: Masked | null
}

type Built = { staging: TemporaryDatabase; result: Content }

/**
 * Chooses how to copy, according to the inputs and to what is possible.
 *
 * @throws an Error when source and target are the same database, or when the requested method is not possible
 */
async function chooseMethod(inputs: Inputs, source: CopySource, target: Target): Promise<Method> {
  const same = isSameServer(source.identity, await readIdentity(target.session))
  if (same && source.identity.database === target.name) {
    throw new Error(
      `source-database-url and database-url are the same database, "${target.name}" of one server, although they are written differently; set one of them to another database`,
    )
  }
  const { copyMethod } = inputs
  if (copyMethod === 'stream') return 'stream'
  const obstacle = same ? await templateObstacle(inputs, source, target) : 'the source is on another server'
  if (copyMethod === 'template' && obstacle)
    throw new Error(
      `copy-method: template is not possible, because ${obstacle}; remove the obstacle, or set copy-method: auto`,
    )
  return obstacle ? 'stream' : 'template'
}

/** Says in a dry run what a copy by stream itself would say, and returns how it would mask. */
async function foretellStream(step: Step, source: CopySource, target: Target): Promise<Masked | null> {
  const { source: archive, masked } = await openSource(step, source)
  try {
    await foretellRestore(step, target, await readContents(untilFinished(archive)))
    return masked
  } finally {
    await archive.abort()
  }
}

/** Runs the hooks on the source, after the checks of the target, so that a refused copy does not change the source. */
async function runPreDumpHooks(step: Step, { client, connection }: SourceDatabase): Promise<void> {
  await runHooks('pre-dump-hooks', step.inputs.preDumpHooks, connection, step.hookOptions(client))
}

/** Returns a function that does work only once, because hooks must not run again when an attempt is repeated. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null
  return () => {
    done ??= work()
    return done
  }
}

async function build(step: Step, source: CopySource, target: Target): Promise<Built> {
  const method = await chooseMethod(step.inputs, source, target)
  return (method === 'stream' ? streamCopy : templateCopy)(step, source, target)
}

/** Returns why the source's files cannot be copied, or null. */
async function templateObstacle(
  inputs: Inputs,
  { connection, masking }: CopySource,
  { session, server }: Target,
): Promise<string | null> {
  if (masking) return 'mask is given, and a file copy takes everything as it is'
  if (Object.keys(dumpFilters(inputs)).length > 0)
    return 'a filter is given, and a file copy takes everything'
  const [row] = await session.query<{ allowed: boolean }>(
    `SELECT datistemplate OR pg_has_role(current_user, datdba, 'USAGE') AS allowed FROM pg_database WHERE datname = ${literal(connection.database)}`,
  )
  if (!server.superuser && !row?.allowed) return `"${server.role}" does not own the source`
  if (inputs.disconnectSource) return null
  const sessions = await lastingSessions(session, connection.database)
  return sessions > 0
    ? `the source has ${formatQuantity(sessions, 'session')} (disconnect-source: true ends them)`
    : null
}

/** Counts the sessions that remain, because the server takes a moment to end those that were just closed. */
async function lastingSessions(session: Session, database: string): Promise<number> {
  for (let looks = 10; ; looks -= 1) {
    const sessions = await countSessions(session, database)
    if (sessions === 0 || looks === 0) return sessions
    await wait(50)
  }
}

/** Copies the files on the server. If a client connects to the source at the last moment, the copy is streamed instead. */
async function templateCopy(step: Step, source: CopySource, target: Target): Promise<Built> {
  const { inputs } = step
  const { database } = source.connection
  const tablespace = target.properties?.tablespace ?? null
  log.info(`Copying the files of "${database}" on the server`)
  try {
    const staging = inputs.disconnectSource
      ? await copyExclusively(step, target, database)
      : await copyDatabase(target.maker, database, target.name, tablespace)
    return { staging, result: { method: 'template', counted: null, masked: null } }
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.sqlstate !== OBJECT_IN_USE) throw error
    if (inputs.copyMethod === 'template') throw error
    log.info(`A client connected to "${database}"; streaming the copy instead`)
    return streamCopy(step, source, target)
  }
}

/** Streams the output of pg_dump into pg_restore. */
async function streamCopy(step: Step, seen: CopySource, target: Target): Promise<Built> {
  const source = { ...seen, ...(await chooseAgain(step, seen)) }
  let masked: Masked | null = null
  await using unfinished = new AsyncDisposableStack()
  const staging = unfinished.use(await createStagingFor(target, source.locale))
  const { select } = chooseEntries(step, { ...target, database: staging.name })
  const complete = withAdditions(source.additions)
  const { sink, report } = await log.group(`Copy into ${staging.name}`, async () =>
    transferArchive(step, {
      openSource: async () => {
        const opened = await openSource(step, source)
        masked = opened.masked
        return opened.source
      },
      openSink: databaseSink(step, target.client, staging.name, sizesOf(source.largeTables)),
      clientMajor: target.client.major,
      select: async (entries) => select(await complete(entries)),
      meter: new Counter(),
      total: { bytes: source.size, of: "the source's size" },
    }),
  )
  await finishRestore(sink, step.signal)
  const archive = report()
  log.info(`Copied ${formatBytes(archive.rawBytes)}, ${describeRows(archive)}`)
  unfinished.move()
  return { staging, result: { method: 'stream', counted: archive, masked } }
}

/** Starts what reads the source: masked, over several connections, or over one. */
async function openSource(
  step: Step,
  source: CopySource,
): Promise<{ source: Source; masked: Masked | null }> {
  const { client, connection, masking } = source
  if (masking) {
    const { reading, masked } = await startMaskedDump(step, source, masking, { method: 'none' })
    return { source: reading.source, masked }
  }
  const parallel = await startParallelDump(step, source, { method: 'none' })
  if (parallel) return { source: parallel.source, masked: null }
  const env = clientEnvironment(connection, step.environment)
  return { source: startDump(client.pgDump, dumpArguments(source.contents, 'action'), env), masked: null }
}

function describeCopy(step: Step, { connection }: SourceDatabase, replaced: Replaced<Content>): Outcome {
  const { result, ...live } = replaced
  const { effort } = step
  const ends = { source: connection.label, target: step.target.label }
  log.info(`Copied ${ends.source} to ${ends.target} in ${formatDuration(effort.durationMs)}`)
  return {
    outputs: { ...(result.counted ? countOutputs(result.counted) : {}), ...liveOutputs(live) },
    summary: [copySummary({ ...ends, ...result, ...live, ...effort }), ...maskPlan(result.masked)],
  }
}

/** Shows the plan of the masks, if there are any. */
function maskPlan(masked: Masked | null): Markdown[] {
  return masked ? maskSummary(masked.plan, masked.subset) : []
}
