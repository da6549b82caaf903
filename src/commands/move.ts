import { statfs } from 'node:fs/promises'
import { type ArchiveReport, createDecoder, newestReadable, type Select } from '../archive/archive.ts'
import type { Context } from '../context.ts'
import { clientEnvironment, onDatabase } from '../database/connection.ts'
import { startParallelRestore } from '../database/parallel-restore.ts'
import { startRestore } from '../database/restore.ts'
import { commitSink, type Meter, type Sink, type Source, transfer } from '../process/transfer.ts'
import { formatBytes } from '../report/format.ts'
import { log } from '../report/log.ts'
import { type Progress, showProgress, showWait, tableProgress } from '../report/progress.ts'
import type { PostgresClient } from '../tools/postgres.ts'
import { connectionOf } from './prepare.ts'

/** Opens the receiving end; it may want the report of what passed, when all has passed. */
export type OpenSink = (report: () => ArchiveReport) => Promise<Sink>

export type Move = {
  openSource: () => Promise<Source>
  openSink: OpenSink
  /** Major version of the client that reads the archive at the end. */
  clientMajor: number
  /** What of it is restored. */
  select: Select
  /** Counts and hashes what comes out of the source. */
  meter: Meter
  total: Progress['total']
}

/**
 * Moves an archive from a source to a sink, decompressed, counted, checked to be complete, and in a version that the
 * reader at the end understands. The sink is not committed: that is the caller's, after its own checks.
 */
export async function moveArchive(
  { inputs, signal }: Context,
  { openSource, openSink, clientMajor, select, meter, total }: Move,
): Promise<{ sink: Sink; report: () => ArchiveReport }> {
  const decoder = createDecoder({ maxVersion: newestReadable(clientMajor), jobs: inputs.jobs, select })
  const { report, progress } = decoder
  using _ = showProgress({
    verb: 'Restored',
    bytes: () => progress.rawBytes,
    total,
    detail: () => tableProgress(progress),
  })
  const source = await openSource()
  const sink = await openSink(report).catch(async (error) => {
    await source.abort()
    throw error
  })
  const moved = () => meter.bytes + progress.rawBytes
  await transfer(source, sink, {
    stages: [meter.stage, decoder.transform],
    signal,
    idleTimeout: inputs.idleTimeout,
    moved,
  })
  return { sink, report }
}

/** Lets pg_restore do the rest, which is mostly indexes: no byte passes through us any more, and it may take long. */
export async function finishRestore(sink: Sink, signal: AbortSignal): Promise<void> {
  using _ = showWait('pg_restore is still at work')
  await commitSink(sink, signal)
}

/**
 * An empty database as the receiving end: one `pg_restore` that streams, or parallel ones that read a file.
 *
 * @param rawBytes size of the uncompressed data, or null when nobody knows
 */
export async function databaseSink(
  context: Context,
  client: PostgresClient,
  database: string,
  rawBytes: number | null,
): Promise<OpenSink> {
  const { inputs, tempDirectory } = context
  const env = clientEnvironment(onDatabase(connectionOf(context), database), context.environment)
  const jobs = await jobsWithRoom(context, rawBytes)
  if (jobs === 1) return async () => startRestore(client.pgRestore, inputs, env)
  return (report) =>
    startParallelRestore(client.pgRestore, inputs, env, {
      jobs,
      folder: tempDirectory,
      layout: () => report().layout,
    })
}

/** Bytes that a runner needs for itself. */
const SPARE = 1_000_000_000

/** How many jobs may restore: parallel ones read a file, and the file needs room for the uncompressed data. */
async function jobsWithRoom({ inputs, tempDirectory }: Context, rawBytes: number | null): Promise<number> {
  if (inputs.jobs === 1) return 1
  const { bavail, bsize } = await statfs(tempDirectory)
  if (rawBytes !== null && rawBytes * 1.1 + SPARE < bavail * bsize) return inputs.jobs
  const free = `${tempDirectory} has ${formatBytes(bavail * bsize)} free`
  const reason =
    rawBytes === null
      ? 'nobody knows how large its data are'
      : `its data need ${formatBytes(rawBytes)} and ${free}`
  log.info(`Restoring with one job as the dump arrives: for parallel jobs ${reason}`)
  return 1
}
