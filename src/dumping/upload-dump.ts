import { addAbortListener } from 'node:events'
import { type ArchiveReport, type Compression, createEncoder } from '../archive/archive.ts'
import { clientEnvironment } from '../database/connection/connection.ts'
import { dumpArguments, startDump } from '../database/pg-dump.ts'
import { sealHeader } from '../encryption/header.ts'
import { shortRecipient } from '../encryption/recipients.ts'
import { encryption } from '../encryption/stages.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { commitSink, Meter, type Sink, type Source, transfer, within } from '../process/transfer.ts'
import { formatBytes } from '../report/format.ts'
import { log } from '../report/log.ts'
import { describeRows, showProgress, tableProgress } from '../report/progress.ts'
import type { Step } from '../step/step.ts'
import type { DumpKey } from '../storage/keys.ts'
import { type Storage, TakenError } from '../storage/storage.ts'
import { withAdditions } from './complete-archive.ts'
import { type Masked, startMaskedDump } from './masked-dump.ts'
import type { Masking } from './masking.ts'
import { type Reading, startParallelDump } from './parallel-dump.ts'
import type { SourceDatabase } from './source-database.ts'

/** The newest pg_dump whose archives this release can read. A newer one compresses its archive itself. */
const NEWEST_CLIENT_MAJOR = 18

/** Chooses zstd where the `pg_restore` of the same release can read it, so that a dump can be restored without this action. */
export function chooseCompression(
  { method, level }: Inputs['compression'],
  clientMajor: number,
): Compression {
  if (method !== 'auto') return { method, level: level ?? undefined }
  return { method: clientMajor >= 16 ? 'zstd' : 'gzip' }
}

/**
 * Returns an upper estimate of the stored size. Rows are longer as text than in their pages (a timestamp has 8 bytes and
 * 26 characters, `bytea` doubles), and the database grows meanwhile; only compression makes up for it.
 */
export function expectedBytes(databaseBytes: number, { method }: Inputs['compression']): number {
  return databaseBytes * (method === 'none' ? 4 : 2)
}

/** A dump that is about to be made. */
export type DumpPlan = {
  storage: Storage
  key: DumpKey
  source: SourceDatabase
  /** Null if the dump is not masked. */
  masking: Masking | null
  /** Resolves when the storage has answered, and rejects when it cannot be used. */
  ready: Promise<unknown>
}

/** The stored bytes of a dump. */
export type Stored = {
  size: number
  sha256: string
  archive: ArchiveReport
  /** Null if the dump is not masked. */
  masked: Masked | null
  /** How long the transfer took, in milliseconds, with the end of the upload. */
  transferMs: number
}

/** Streams a dump into storage. */
export async function uploadDump(step: Step, plan: DumpPlan): Promise<Stored> {
  const { inputs, signal } = step
  const { storage, key, source } = plan
  const { client, size } = source
  const meter = new Meter()
  const encrypt = inputs.encryptTo.length > 0 ? [encryption(await sealHeader(inputs.encryptTo))] : []
  const sink = await storage.upload(key.key, expectedBytes(source.size, inputs.compression))
  const { reading, masked } = await orAbort(sink, startReading(step, plan))
  const { source: pgDump } = reading
  const moved = () => reading.progress.rawBytes + meter.bytes
  using _ = showProgress({
    verb: 'Dumped',
    bytes: () => reading.progress.rawBytes,
    total: { bytes: size, of: "the database's size" },
    detail: () => tableProgress(reading.progress),
  })
  await orAbort(sink, untilFirstByte(pgDump, signal, inputs.idleTimeout))
  // The storage answers while pg_dump starts, because a start of the AWS CLI takes most of a second.
  await orAbort(sink, orAbort(pgDump, plan.ready))
  const started = Date.now()
  await transfer(pgDump, sink, {
    stages: [...reading.stages, ...encrypt, meter.stage],
    signal,
    idleTimeout: inputs.idleTimeout,
    moved,
  })
  try {
    using limit = within(signal, inputs.idleTimeout, 'The store did not finish the upload')
    await commitSink(sink, limit.signal)
  } catch (error) {
    await discard(storage, key.key, error)
    throw error
  }
  const transferMs = Date.now() - started
  const archive = reading.report()
  if (archive.opaque)
    log.notice(
      `pg_dump ${client.version} writes archives of version ${archive.version}, which this release cannot read: no rows were counted`,
    )
  const encrypted =
    encrypt.length > 0 ? `, encrypted to ${inputs.encryptTo.map(shortRecipient).join(', ')}` : ''
  log.info(
    `Stored ${formatBytes(meter.bytes)} of ${formatBytes(archive.rawBytes)}, ${describeRows(archive)}${encrypted}, SHA-256 ${meter.sha256}`,
  )
  return { size: meter.bytes, sha256: meter.sha256, archive, masked, transferMs }
}

/** Waits for work, and ends one side of the transfer if it fails. */
async function orAbort<Result>(side: Pick<Sink | Source, 'abort'>, work: Promise<Result>): Promise<Result> {
  return work.catch(async (error) => {
    await side.abort()
    throw error
  })
}

/** Starts a masked dump, several pg_dumps, or one whose output is compressed here. */
async function startReading(
  step: Step,
  { source, masking }: DumpPlan,
): Promise<{ reading: Reading; masked: Masked | null }> {
  const { client } = source
  const compression = chooseCompression(step.inputs.compression, client.major)
  const known = client.major <= NEWEST_CLIENT_MAJOR
  if (!masking) return { reading: await startPlainReading(step, source, known, compression), masked: null }
  if (known) return await startMaskedDump(step, source, masking, compression)
  throw new Error(
    `mask cannot be used with pg_dump ${client.version}, whose archives this release cannot read; set postgres-version to ${NEWEST_CLIENT_MAJOR} or an earlier one`,
  )
}

async function startPlainReading(
  step: Step,
  source: SourceDatabase,
  known: boolean,
  compression: Compression,
): Promise<Reading> {
  const { inputs, environment } = step
  const { client, connection } = source
  const parallel = known ? await startParallelDump(step, source, compression) : null
  if (parallel) return parallel
  const args = dumpArguments(source.contents, known ? 'action' : 'pg_dump')
  const pgDump = startDump(client.pgDump, args, clientEnvironment(connection, environment))
  const { transform, progress, report } = createEncoder({
    ...{ compression, jobs: inputs.jobs },
    select: withAdditions(source.additions),
  })
  return { source: pgDump, stages: [transform], progress, report }
}

/** Waits for output, so that a dump that fails at once says why. */
async function untilFirstByte(source: Source, cancelled: AbortSignal, idleTimeout: number): Promise<void> {
  const { stream } = source
  using limit = within(cancelled, idleTimeout, 'pg_dump sent nothing')
  const { signal } = limit
  try {
    const { promise: ready, resolve, reject } = Promise.withResolvers<void>()
    // This listener stays: when a child exits, Node discards output that has no listener.
    stream.on('readable', resolve)
    stream.once('end', resolve)
    stream.once('error', () => resolve())
    using _ = addAbortListener(signal, () => reject(signal.reason))
    await ready
    if (stream.readableLength === 0) await source.finish()
  } catch (error) {
    await source.abort()
    throw error
  }
}

/** Removes a stored object that did not become a dump. Without the right to delete, it stays, uncommitted. */
export async function discard(storage: Storage, key: string, reason: unknown): Promise<void> {
  // Another run with the same key was faster, so the object is its dump.
  if (reason instanceof TakenError) return
  await storage
    .remove(key)
    .catch((error) => log.warning(`${key} may stay in storage, uncommitted: ${error.message}`))
}
