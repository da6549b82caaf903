import { setTimeout as wait } from 'node:timers/promises'
import { type ArchiveReport, readContents, type TocEntry } from '../archive/archive.ts'
import type { LeftOut } from '../database/restore/entry-rules.ts'
import { Meter, type Sink, throughStages } from '../process/transfer.ts'
import { formatBytes } from '../report/format.ts'
import { log } from '../report/log.ts'
import { describeRows } from '../report/progress.ts'
import { isRetryable } from '../step/retryable.ts'
import type { Step } from '../step/step.ts'
import { unsoundness } from '../storage/choose-dump.ts'
import type { TableRows } from '../storage/manifest.ts'
import { type Consequence, checkReceived, explainDamage } from './check-download.ts'
import { chooseEntries, type Receiver } from './choose-entries.ts'
import type { Dump } from './find-dump.ts'
import { finishRestore, type OpenSink, transferArchive } from './transfer-archive.ts'

/** The end of the message of a restore that fails before it has changed anything. */
export const UNTOUCHED = '; the target is unchanged'

/** The content of a dump as it was received from storage. */
export type Received = {
  sha256: string
  counted: { tables: readonly TableRows[]; rows: number | null }
  archive: ArchiveReport
  leftOut: readonly LeftOut[]
  /** How long the transfer took, in milliseconds, without the end of pg_restore. */
  transferMs: number
}

/**
 * Streams a dump from storage into a sink, and commits the sink only if size, digest, structure and row counts are as in
 * the manifest.
 */
export async function downloadDump(
  step: Step,
  dump: Dump,
  receiver: Receiver & Consequence,
  openSink: OpenSink,
): Promise<Received> {
  const { chosen, open, unseal } = dump
  const meter = new Meter()
  const { select, leftOut } = chooseEntries(step, receiver)
  const clientMajor = receiver.client.major
  const total = chosen.manifest && { bytes: chosen.manifest.rawBytes, of: 'the data' }
  const plan = {
    openSource: open,
    openSink: (entries: () => readonly TocEntry[]) => openSink(entries).then(patient),
    ...{ unseal, clientMajor, select, meter, total },
  }
  const { sink, report, transferMs } = await transferArchive(step, plan).catch(async (error) => {
    // A store that does not answer is not asked again.
    if (!isRetryable(error)) await checkStored(dump, meter, receiver)
    throw explainDamage(error, chosen, meter, receiver)
  })
  try {
    await checkStored(dump, meter, receiver)
    checkReceived({ chosen, meter, archive: report(), leftOut: leftOut() }, receiver)
  } catch (error) {
    await sink.abort()
    throw error
  }
  await finishRestore(sink, step.signal)
  log.info(
    `Received all ${formatBytes(meter.bytes)}, ${describeRows(report())}${chosen.manifest ? ', as in the manifest' : ''}`,
  )
  return { sha256: meter.sha256, counted: report(), archive: report(), leftOut: leftOut(), transferMs }
}

/**
 * Says why another number of bytes arrived than was expected, if storage holds another number. The dump may have been chosen
 * by the size that its manifest says.
 */
async function checkStored(
  { storage, chosen }: Dump,
  meter: Meter,
  { untouched }: Consequence,
): Promise<void> {
  if (meter.bytes === chosen.size) return
  const problem = await unsoundness(storage, chosen).catch(() => null)
  if (problem) throw new Error(`${problem}${untouched}`)
}

/** Reads the table of contents of a stored dump, and ends the download there. */
export async function readEntries({ open, unseal }: Dump): Promise<TocEntry[]> {
  const source = await open()
  try {
    return await readContents(throughStages(source.stream, unseal))
  } finally {
    await source.abort()
  }
}

/** How long a download may continue after its restore has failed, in milliseconds. */
const DOWNLOAD_AFTER_FAILURE_MS = 30_000

/**
 * Delays the failure of a sink, so that the rest of the download shows whether the data is damaged. pg_restore's own error
 * is misleading when the data was corrupted in transit.
 */
function patient(sink: Sink): Sink {
  return {
    ...sink,
    died: sink.died.then((reason) => wait(DOWNLOAD_AFTER_FAILURE_MS, reason, { ref: false })),
  }
}
