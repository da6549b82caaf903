import { setTimeout as wait } from 'node:timers/promises'
import type { ArchiveReport } from '../archive/archive.ts'
import type { LeftOut } from '../database/restore/entry-rules.ts'
import { PassingError } from '../errors.ts'
import { Meter, type Sink } from '../process/transfer.ts'
import { formatBytes, formatCount, formatDuration } from '../report/format.ts'
import { log } from '../report/log.ts'
import { describeRows } from '../report/progress.ts'
import type { Context } from '../step/context.ts'
import { checkExpiry, narrowingOf, openStorage } from '../step/prepare.ts'
import { type Chosen, chooseDump } from '../storage/dump-catalog.ts'
import { parseDumpKey } from '../storage/keys.ts'
import type { TableRows } from '../storage/manifest.ts'
import type { Storage } from '../storage/storage.ts'
import { type Receiver, startSelecting } from './choose-entries.ts'
import { ageOf, checkAge } from './dump-age.ts'
import { finishRestore, moveArchive, type OpenSink } from './transfer-archive.ts'

/** A stored dump that was found, and the store that has it. */
export type Dump = { storage: Storage; chosen: Chosen }

/** What passed through us on the way from storage. */
export type Received = {
  sha256: string
  counted: { tables: readonly TableRows[]; rows: number | null }
  archive: ArchiveReport
  leftOut: readonly LeftOut[]
}

/** Finds the dump that `dump-key` names. */
export async function findDump(context: Context): Promise<Dump> {
  return await log.group('Find the dump', () => lookForDump(context))
}

async function lookForDump(context: Context): Promise<Dump> {
  const { inputs } = context
  const storage = await openStorage(context)
  const chosen = await chooseDump(storage, inputs.dumpKey, narrowingOf(context))
  const key = parseDumpKey(chosen.key)
  const age = key ? `, ${formatDuration(Math.max(0, ageOf(key)))} old` : ''
  log.info(`Found ${storage.address(chosen.key)}, ${formatBytes(chosen.size)}${age}`)
  checkAge(inputs, key)
  checkExpiry(context, { kind: 'restore', bytes: chosen.manifest?.rawBytes ?? chosen.size })
  if (!chosen.manifest) {
    log.warning(
      `${chosen.key} has no manifest: it was not committed by this action, so its content cannot be compared with what was dumped`,
    )
  }
  if (chosen.passedOver.length > 0) {
    log.warning(
      `"${inputs.dumpKey}" covers several databases; the newest dump won over ${chosen.passedOver.join(', ')}. Give instance, config or a longer prefix to narrow it`,
    )
  }
  return { storage, chosen }
}

/**
 * Moves a dump out of storage into a sink, and commits the sink only after size, digest, structure and row counts are
 * what they should be.
 */
export async function receive(
  context: Context,
  { storage, chosen }: Dump,
  receiver: Receiver,
  openSink: OpenSink,
): Promise<Received> {
  const meter = new Meter()
  const { select, leftOut } = startSelecting(context, receiver)
  const clientMajor = receiver.client.major
  const total = chosen.manifest && { bytes: chosen.manifest.rawBytes, of: 'the data' }
  const open = {
    openSource: () => storage.download(chosen.key),
    openSink: () => openSink().then(patient),
    ...{ clientMajor, select, meter, total },
  }
  const { sink, report } = await moveArchive(context, open).catch((error) =>
    Promise.reject(explainDamage(error, chosen, meter)),
  )
  try {
    checkReceived(chosen, meter, report(), leftOut())
  } catch (error) {
    await sink.abort()
    throw error
  }
  await finishRestore(sink, context.signal)
  log.info(
    `Received all ${formatBytes(meter.bytes)}, ${describeRows(report())}${chosen.manifest ? ', as in the manifest' : ''}`,
  )
  return { sha256: meter.sha256, counted: report(), archive: report(), leftOut: leftOut() }
}

/** Milliseconds that a download may go on after the restore of it has failed. */
const PATIENCE = 30_000

/**
 * A sink that tells of its end when the data have passed, or when that takes too long. By then it is known whether they
 * are what was dumped; what `pg_restore` says of data that were altered on the way leads nowhere.
 */
function patient(sink: Sink): Sink {
  return { ...sink, died: sink.died.then((reason) => wait(PATIENCE, reason, { ref: false })) }
}

/** An archive that ends too early is most often a download that did. */
function explainDamage(error: unknown, { key, size }: Chosen, meter: Meter): unknown {
  if (!(error instanceof Error) || error.name !== 'ArchiveError') return error
  if (meter.bytes < size) {
    // One that is broken before its end is broken in storage.
    const CutOff = /^the archive ends/.test(error.message) ? PassingError : Error
    return new CutOff(
      `${key} has ${size} bytes and ${meter.bytes} arrived, and they are no whole archive (${error.message}); the target is as it was`,
      { cause: error },
    )
  }
  return new Error(`${key} is damaged: ${error.message}; the target is as it was`, { cause: error })
}

function checkReceived(
  { key, size, manifest }: Chosen,
  meter: Meter,
  archive: ArchiveReport,
  leftOut: readonly LeftOut[],
): void {
  if (meter.bytes !== size) {
    throw new PassingError(`${key} has ${size} bytes and ${meter.bytes} arrived; the target is as it was`)
  }
  if (!manifest) return
  if (manifest.sha256 !== meter.sha256) {
    throw new Error(
      `${key} is not what was dumped (SHA-256 ${meter.sha256}, its manifest says ${manifest.sha256}); the target is as it was`,
    )
  }
  const expected = withoutLeftOut(manifest.tables, leftOut)
  const difference = archive.opaque ? null : describeDifference(expected, archive.tables)
  if (difference) throw new Error(`${key} differs from its manifest: ${difference}; the target is as it was`)
}

type Counted = Pick<TableRows, 'schema' | 'name' | 'rows'>

/** The tables of a manifest whose data are restored. */
export function withoutLeftOut(tables: readonly TableRows[], leftOut: readonly LeftOut[]): TableRows[] {
  const gone = new Set(
    leftOut.map(({ entry }) => (entry.desc === 'TABLE DATA' ? `${entry.namespace}.${entry.tag}` : '')),
  )
  return tables.filter(({ schema, name }) => !gone.has(`${schema}.${name}`))
}

/** The first tables whose rows differ, in words, or null. Tables whose rows nobody could count are equal. */
export function describeDifference(expected: readonly Counted[], found: readonly Counted[]): string | null {
  const name = (table: Counted) => `${table.schema}.${table.name}`
  const rows = new Map(found.map((table) => [name(table), table.rows]))
  const differences = expected.flatMap((table) => {
    const actual = rows.get(name(table))
    if (actual === undefined) return [`${name(table)} is missing`]
    if (actual === table.rows || actual === null || table.rows === null) return []
    const more = actual - table.rows
    return [
      `${name(table)} has ${formatCount(actual)} rows instead of ${formatCount(table.rows)} (${more > 0 ? '+' : ''}${formatCount(more)})`,
    ]
  })
  const expectedNames = new Set(expected.map(name))
  const surplus = found
    .filter((table) => !expectedNames.has(name(table)))
    .map((table) => `${name(table)} is too many`)
  const all = [...differences, ...surplus]
  return all.length === 0
    ? null
    : `${all.slice(0, 5).join(', ')}${all.length > 5 ? ` and ${all.length - 5} more` : ''}`
}
