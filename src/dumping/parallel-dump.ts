import { addAbortListener } from 'node:events'
import { Readable } from 'node:stream'
import { type ArchiveStage, type Compression, JoinedArchive, type JoinOptions } from '../archive/archive.ts'
import { clientEnvironment } from '../database/connection/connection.ts'
import { isParallel, type LargeTable, planReading, type ReadingPlan } from '../database/large-tables.ts'
import { type Contents, dumpArguments, startDump, untilFinished } from '../database/pg-dump.ts'
import { exportSnapshot, type Snapshot } from '../database/snapshot.ts'
import { messageOf, TransientError } from '../errors.ts'
import { type Source, type Stage, within } from '../process/transfer.ts'
import { formatNames, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import { withAdditions } from './complete-archive.ts'
import { planPageReads } from './page-reads.ts'
import type { SourceDatabase } from './source-database.ts'
import { startTableReaders, type TableReaders } from './table-reader.ts'

/** A source whose output, after `stages`, is the archive to store, with its progress and its report. */
export type Reading = Pick<ArchiveStage, 'progress' | 'report'> & { source: Source; stages: Stage[] }

/**
 * Starts several pg_dumps that share one snapshot and divide the large tables among them, and joins their output into one
 * archive.
 *
 * @returns null where one pg_dump is enough, or where several cannot start: servers behind one address do not share a
 * snapshot, connections are limited, a hook has dropped a table, another session waits for a lock. An error that concerns
 * any dump is reported by the single pg_dump that follows.
 */
export async function startParallelDump(
  step: Step,
  source: SourceDatabase,
  compression: Compression,
): Promise<Reading | null> {
  const plan = planReading(source.largeTables, source.readingJobs)
  if (!isParallel(plan)) return null
  try {
    return await startInOneSnapshot(step, source, plan, compression)
  } catch (error) {
    step.signal.throwIfAborted()
    if (error instanceof TransientError) throw error
    log.info(`Dumping over one connection, because several are not possible: ${messageOf(error)}`)
    return null
  }
}

async function startInOneSnapshot(
  step: Step,
  source: SourceDatabase,
  plan: ReadingPlan,
  compression: Compression,
): Promise<Reading> {
  const { client, connection } = source
  await using snapshot = await exportSnapshot(await step.session(connection), plan.paged)
  const sizes = new Map(source.largeTables.map(({ oid, bytes }) => [oid, bytes]))
  const reading = await joinParts(step, {
    compression,
    bytesOf: (oid) => sizes.get(oid) ?? 0,
    shared: new Set([...plan.dumps.flat(), ...plan.paged].map(({ oid }) => oid)),
    select: withAdditions(source.additions),
    startReaders: (signal) => startReaders(step, source, plan, { snapshot, signal }),
    startDumps: () =>
      argumentsOfAll(source.contents, plan, snapshot.id).map((args) =>
        startDump(client.pgDump, args, clientEnvironment(connection, step.environment)),
      ),
  })
  log.info(describe(plan))
  return reading
}

/** What several programs read of one snapshot, and how it is joined. */
export type Parts = Omit<JoinOptions, 'jobs' | 'folder'> & {
  startReaders: (signal: AbortSignal) => Promise<TableReaders[]>
  startDumps: () => Source[]
}

/** Starts readers and pg_dumps, and joins their output once all of them have the tables that they read. */
export async function joinParts(step: Step, parts: Parts): Promise<Reading> {
  const { inputs, signal } = step
  const { startReaders, startDumps, ...options } = parts
  const started: { abort: () => Promise<void> }[] = []
  const abort = async () => void (await Promise.all(started.map((part) => part.abort())))
  using limit = within(signal, inputs.idleTimeout, 'pg_dump sent nothing')
  using _ = addAbortListener(limit.signal, () => void abort())
  try {
    // A pg_dump reads the catalog while the readers connect: both wait for many answers of a distant server.
    const dumps = startDumps()
    started.push(...dumps)
    const outputs = dumps.map(untilFinished)
    const readers = await startReaders(limit.signal)
    started.push(...readers)
    const streams = [...outputs, ...readers.map(({ archive }) => archive)]
    const surroundings = { jobs: inputs.jobs, folder: step.tempDirectory }
    const archive = await JoinedArchive.open(streams, { ...options, ...surroundings })
    const stop = async () => {
      await Promise.all([archive.stop(), abort()])
    }
    return joinedReading(archive, dumps, stop)
  } catch (error) {
    await abort()
    throw limit.signal.aborted ? limit.signal.reason : error
  }
}

/** Starts the sessions that read tables by ranges of pages, if there are such tables. */
async function startReaders(
  { environment }: Step,
  { client, connection, server }: SourceDatabase,
  { paged, sessions }: ReadingPlan,
  { snapshot, signal }: { snapshot: Snapshot; signal: AbortSignal },
): Promise<TableReaders[]> {
  if (paged.length === 0) return []
  const readers = await startTableReaders(await planPageReads(snapshot.session, paged), {
    psql: client.psql,
    env: clientEnvironment(connection, environment),
    serverMajor: server.major,
    snapshot: snapshot.id,
    connections: sessions,
    signal,
  })
  return [readers]
}

function describe({ dumps, paged, sessions }: ReadingPlan): string {
  const all = `Dumping over ${formatQuantity(1 + dumps.length + sessions, 'connection')} in one snapshot`
  if (paged.length === 0) return all
  const names = paged.map(({ schema, name }) => `${schema}.${name}`)
  return `${all}, of which ${sessions} share the pages of ${formatNames(names, 5)}`
}

/** Returns the arguments of each pg_dump. The first one dumps everything except the data that the others dump. */
function argumentsOfAll(contents: Contents, { dumps, paged }: ReadingPlan, snapshot: string): string[][] {
  const patterns = (tables: readonly LargeTable[]) => tables.map(({ pattern }) => pattern)
  const elsewhere = [...contents.excludeTableData, ...patterns([...dumps.flat(), ...paged])]
  const main = dumpArguments({ ...contents, excludeTableData: elsewhere }, 'action')
  const others = dumps.map((tables) => [
    // What the user excludes stays excluded, regardless of what is included here.
    ...dumpArguments(
      { ...contents, tables: patterns(tables), schemas: [], excludeSchemas: [], extensions: [] },
      'action',
    ),
    '--section=data',
  ])
  return [main, ...others].map((args) => [...args, `--snapshot=${snapshot}`])
}

function joinedReading(
  archive: JoinedArchive,
  dumps: readonly Source[],
  abort: () => Promise<void>,
): Reading {
  const source = {
    // In object mode, because a stream of bytes would copy what has gathered into one buffer for each read.
    stream: Readable.from(archive.output(), { objectMode: true, highWaterMark: 4 }),
    finish: async () => {
      for (const dump of dumps) await dump.finish()
    },
    abort,
  }
  return {
    source,
    stages: [],
    get progress() {
      return archive.progress
    },
    report: () => archive.report,
  }
}
