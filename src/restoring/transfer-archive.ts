import {
  type ArchiveReport,
  createDecoder,
  newestReadable,
  type Select,
  type SplitOptions,
  type TocEntry,
} from '../archive/archive.ts'
import { clientEnvironment, onDatabase } from '../database/connection/connection.ts'
import { startSplitRestore } from '../database/restore/parallel-restore.ts'
import { startRestore } from '../database/restore/pg-restore.ts'
import {
  type Counter,
  commitSink,
  type Sink,
  type Source,
  type Stage,
  transfer,
} from '../process/transfer.ts'
import { type Relation, relationKey } from '../relation.ts'
import { type Progress, showProgress, showWait, tableProgress } from '../report/progress.ts'
import type { Step } from '../step/step.ts'
import type { Manifest } from '../storage/manifest.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'

/** Opens the receiving end. `entries` returns those of the archive that it receives, once that has begun. */
export type OpenSink = (entries: () => readonly TocEntry[]) => Promise<Sink>

export type ArchiveTransfer = {
  openSource: () => Promise<Source>
  openSink: OpenSink
  /** What turns the bytes of the source into an archive. */
  unseal?: readonly Stage[]
  /** Major version of the client that reads the archive at the end. */
  clientMajor: number
  /** Chooses the entries that are restored. */
  select: Select
  /** Counts the bytes of the source, and hashes them where the caller compares a digest. */
  meter: Counter
  total: Progress['total']
}

/**
 * Transfers an archive from a source to a sink: decompresses it, counts its rows, checks that it is complete, and lowers
 * its version to one that the client reads. The caller commits the sink after its own checks.
 */
export async function transferArchive(
  { inputs, signal }: Step,
  { openSource, openSink, unseal = [], clientMajor, select, meter, total }: ArchiveTransfer,
): Promise<{ sink: Sink; report: () => ArchiveReport; transferMs: number }> {
  const decoder = createDecoder({
    maxVersion: newestReadable(clientMajor),
    jobs: inputs.jobs,
    select,
  })
  const { report, progress, written } = decoder
  using _ = showProgress({
    verb: 'Restored',
    bytes: () => progress.rawBytes,
    total,
    detail: () => tableProgress(progress),
  })
  const source = await openSource()
  const sink = await openSink(written).catch(async (error) => {
    await source.abort()
    throw error
  })
  const moved = () => meter.bytes + progress.rawBytes
  const started = Date.now()
  await transfer(source, sink, {
    stages: [meter.stage, ...unseal, decoder.transform],
    signal,
    idleTimeout: inputs.idleTimeout,
    moved,
  })
  return { sink, report, transferMs: Date.now() - started }
}

/** Waits for pg_restore to finish. It mostly builds indexes by now, which moves no bytes and may take long. */
export async function finishRestore(sink: Sink, signal: AbortSignal): Promise<void> {
  using _ = showWait('pg_restore is still working')
  await commitSink(sink, signal)
}

/** Arguments that choose sections or the order of entries, as several jobs do themselves, so they exclude each other. */
const SELECTS_BY_ITSELF = /^--(?:sec|use-)|^-[aORsvx]*L/

/**
 * Returns a sink that restores into an empty database by one `pg_restore`, or by several that share the tables.
 *
 * @param bytesOf estimates how many bytes of data a table has
 */
export function databaseSink(
  step: Step,
  client: PostgresClient,
  database: string,
  bytesOf: SplitOptions['bytesOf'],
): OpenSink {
  const { inputs, environment, tempDirectory } = step
  const connection = onDatabase(step.target, database)
  const env = clientEnvironment(connection, environment)
  const { jobs, pgRestoreArgs } = inputs
  return async (entries) =>
    jobs === 1 || pgRestoreArgs.some((argument) => SELECTS_BY_ITSELF.test(argument))
      ? startRestore(client.pgRestore, { inputs, env, entries })
      : startSplitRestore(
          {
            pgRestore: client.pgRestore,
            inputs,
            env,
            session: (signal) => step.session(connection, { signal }),
          },
          { jobs, bytesOf, folder: tempDirectory, entries },
        )
}

/** Looks up sizes of tables by name; an unknown table has 0 bytes. */
export function sizesOf(tables: readonly (Relation & { bytes: number })[]): SplitOptions['bytesOf'] {
  const sizes = new Map(tables.map((table) => [relationKey(table), table.bytes]))
  return (table) => sizes.get(relationKey(table)) ?? 0
}

/** Assumed size of tables without a manifest: large enough to get their own job. */
const UNKNOWN_TABLE_BYTES = 64 * 1024 * 1024

/** Looks up sizes of the tables in a dump, according to its manifest if it has one. */
export function sizesIn(manifest: Manifest | null): SplitOptions['bytesOf'] {
  return manifest ? sizesOf(manifest.tables) : () => UNKNOWN_TABLE_BYTES
}
