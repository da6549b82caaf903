import { type Compression, checkDelivered, type Deliverable, type TocEntry } from '../archive/archive.ts'
import { clientEnvironment } from '../database/connection/connection.ts'
import { freeConnections } from '../database/free-connections.ts'
import { whyDataIsOrdered } from '../database/load-order.ts'
import { dumpArguments, startDump } from '../database/pg-dump.ts'
import { exactPatternsOf } from '../database/selection.ts'
import { messageOf, TransientError } from '../errors.ts'
import { isLeftOut, leaveOutArguments } from '../masking/left-out.ts'
import { withMaskKey } from '../masking/mask-key.ts'
import type { MaskPlan } from '../masking/plan.ts'
import { maskCounts } from '../masking/plan-text.ts'
import { conditionsOf, filteredPlan } from '../masking/subset/filtered-plan.ts'
import type { Subset } from '../masking/subset/result.ts'
import type { Part } from '../masking/tables.ts'
import type { Source } from '../process/transfer.ts'
import { relationKey } from '../relation.ts'
import { formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { MaskRecord, TableRows } from '../storage/manifest.ts'
import { withAdditions } from './complete-archive.ts'
import { LeakWatch } from './leak-watch.ts'
import { partsOf, planMaskedReads } from './masked-reads.ts'
import { type MaskedSnapshot, openMaskedSnapshot } from './masked-snapshot.ts'
import type { Masking } from './masking.ts'
import { joinParts, type Parts, type Reading } from './parallel-dump.ts'
import { inFull } from './plan-masks.ts'
import type { SourceDatabase } from './source-database.ts'
import { startTableReaders, type TableRead, type TableReaders } from './table-reader.ts'

/** What a masked dump says about itself. */
export type Masked = {
  plan: MaskPlan
  subset: Subset | null
  record: MaskRecord
  /** Returns the counted tables, each with its masks, and a filtered one with the rows that it had before. */
  describeTables: (tables: readonly TableRows[]) => TableRows[]
}

/** The tables that are read by queries instead of a `pg_dump`, and over how many connections. */
type Readers = {
  reads: readonly TableRead[]
  connections: number
  /** What the session reads that has computed the rows that stay. */
  filtered: readonly TableRead[]
  byName: boolean
}

/**
 * Starts a masked dump: a `pg_dump` for the schema and the small tables that are kept whole, and sessions that read
 * everything else, all in one snapshot. The server computes the masks, so no value of a masked column leaves it.
 *
 * @throws an Error before a row is read, when the mask file does not decide everything or the server refuses a mask
 */
export async function startMaskedDump(
  step: Step,
  source: SourceDatabase,
  masking: Masking,
  compression: Compression,
): Promise<{ reading: Reading; masked: Masked }> {
  checkClient(source)
  await using snapshot = await openMaskedSnapshot(step, source, masking)
  const { plan, locked } = snapshot
  const readers = await planReaders(step, source, snapshot)
  const { connections, filtered, byName } = readers
  const reads = [...readers.reads, ...filtered]
  const leaks = masking.scansForLeaks ? new LeakWatch(plan, masking.file) : null
  const args = await dumpArgumentsOf(source, snapshot, reads)
  const reading = await joinParts(step, {
    ...{ compression, byName },
    ...joinOptions(source, snapshot, reads, leaks),
    bytesOf: (oid) => locked.get(oid)?.bytes ?? 0,
    startReaders: (signal) => startReaders(step, source, masking, { snapshot, readers, signal }),
    startDumps: () => [
      startDump(source.client.pgDump, args, clientEnvironment(source.connection, step.environment)),
    ],
  })
  const sessions = formatQuantity(1 + connections + Math.min(filtered.length, 1), 'connection')
  log.info(`Dumping with masks over ${sessions} in one snapshot`)
  return { reading: leaks ? checked(reading, leaks) : reading, masked: describe(masking, snapshot) }
}

/** The first client that can report an error without its message. */
const FIRST_CLIENT = 12

function checkClient({ client, server }: SourceDatabase): void {
  if (client.major < FIRST_CLIENT)
    throw new Error(
      `mask needs pg_dump and psql ${FIRST_CLIENT} or later, and those for PostgreSQL ${server.major} on this runner are ${client.version}; set postgres-version to ${FIRST_CLIENT} or later`,
    )
}

/** Each connection costs the server a process. */
const MAX_CONNECTIONS = 8

/** Decides what is read by queries, the largest tables first, or in the order of pg_dump where loading depends on it. */
async function planReaders(step: Step, source: SourceDatabase, snapshot: MaskedSnapshot): Promise<Readers> {
  const { session, locked } = snapshot
  const byName = (await whyDataIsOrdered(session)) !== null
  const jobs = Math.min(step.inputs.jobs, MAX_CONNECTIONS, (await freeConnections(session)) - 1)
  const paged = byName || jobs <= 1 ? [] : source.largeTables
  const clientMajor = source.client.major
  const conditions = snapshot.subset ? conditionsOf(snapshot.subset.subset) : new Map<string, string>()
  const need = { plan: readablePlan(snapshot), locked, paged, clientMajor, conditions }
  const bytes = ({ table }: TableRead) => locked.get(table.oid)?.bytes ?? 0
  const all = await planMaskedReads(session, need)
  const sorted = byName ? all.toSorted(compareNames) : all.toSorted((a, b) => bytes(b) - bytes(a))
  const reads = sorted.filter(({ table }) => !conditions.has(table.oid))
  const filtered = sorted.filter(({ table }) => conditions.has(table.oid))
  const shares = reads.reduce((sum, read) => sum + read.shares, 0)
  return { reads, connections: Math.min(Math.max(1, jobs), shares), filtered, byName }
}

/** Returns the plan by which tables are read: the rows that stay are known by now. */
function readablePlan({ plan, subset }: MaskedSnapshot): MaskPlan {
  return subset ? filteredPlan(plan, subset.subset) : plan
}

function compareNames({ table: a }: TableRead, { table: b }: TableRead): number {
  const compare = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other))
  return compare(a.schema, b.schema) || compare(a.name, b.name)
}

/** Returns how the archives are joined and what is checked meanwhile. */
function joinOptions(
  { additions }: SourceDatabase,
  snapshot: MaskedSnapshot,
  reads: readonly TableRead[],
  leaks: LeakWatch | null,
): Pick<Parts, 'shared' | 'extensions' | 'select' | 'check' | 'watch'> {
  const plan = readablePlan(snapshot)
  const kept = deliverable(plan, reads)
  return {
    shared: new Set(reads.map(({ table }) => table.oid)),
    extensions: extensionsOf(plan),
    select: async (entries) => withAdditions(additions)(entries.filter((entry) => !isLeftOut(entry))),
    check: (entries: readonly TocEntry[]) => checkDelivered(entries, kept),
    ...(leaks ? { watch: leaks.watch } : {}),
  }
}

/** Returns what the pg_dump may deliver: the tables that are kept whole and that no reader reads. */
function deliverable(plan: MaskPlan, reads: readonly TableRead[]): Deliverable {
  const elsewhere = new Set(reads.map(({ table }) => table.oid))
  const columns = (part: Part) =>
    part.columns.filter(({ computedFrom }) => computedFrom === null).map(({ name }) => name)
  const kept = partsOf(plan, 'keep').filter(({ part }) => !elsewhere.has(part.oid))
  return {
    tables: new Map(kept.map(({ part }) => [part.oid, columns(part)])),
    largeObjects: plan.keepsLargeObjects,
  }
}

/** Returns the extension of each table that belongs to one. */
function extensionsOf({ tables }: MaskPlan): Map<string, string> {
  return new Map(
    tables.flatMap(({ extension, parts }) =>
      extension === null ? [] : parts.map(({ oid }) => [oid, extension] as const),
    ),
  )
}

/** Returns the arguments of the pg_dump, which writes no data of what the readers read and what is left out. */
async function dumpArgumentsOf(
  { contents: { extensions = [] } }: SourceDatabase,
  { id, session, plan, selection: { contents } }: MaskedSnapshot,
  reads: readonly TableRead[],
): Promise<string[]> {
  const empty = partsOf(plan, 'none').map(({ part }) => part.oid)
  const patterns = await exactPatternsOf(session, [...empty, ...reads.map(({ table }) => table.oid)])
  const excludeTableData = [...contents.excludeTableData, ...patterns]
  const pgDumpArgs = [...contents.pgDumpArgs, ...leaveOutArguments(plan, contents.schemaOnly)]
  const args = dumpArguments({ ...contents, extensions, excludeTableData, pgDumpArgs }, 'action')
  return [...args, `--snapshot=${id}`]
}

/** Starts the sessions that read tables, if there are such tables. */
async function startReaders(
  step: Step,
  { client, connection, server }: SourceDatabase,
  { key }: Masking,
  { snapshot, readers, signal }: { snapshot: MaskedSnapshot; readers: Readers; signal: AbortSignal },
): Promise<TableReaders[]> {
  const { reads, connections, filtered } = readers
  const options = {
    psql: client.psql,
    env: clientEnvironment(withMaskKey(connection, key), step.environment),
    serverMajor: server.major,
    snapshot: snapshot.id,
    hidesValues: true,
  }
  const started: TableReaders[] = []
  try {
    if (reads.length > 0) started.push(await startTableReaders(reads, { ...options, connections, signal }))
    if (snapshot.subset && filtered.length > 0) {
      const session = await snapshot.subset.session.handOver()
      started.push(await startTableReaders(filtered, { ...options, session, connections: 1, signal }))
    }
    return started
  } catch (error) {
    for (const readers of started) await readers.abort()
    return explainReaders(error)
  }
}

/** A session that waits for an exclusive lock makes all later ones wait behind it. */
function explainReaders(error: unknown): never {
  if (/could not obtain lock/.test(messageOf(error)))
    throw new TransientError(
      'Another session waits for an exclusive lock on a table of the dump, so its rows cannot be read; nothing was dumped. Run the dump when no migration runs',
      { cause: error },
    )
  throw error
}

/** Fails a reading at its end if the leak scan has found something, so that nothing is stored. */
function checked(reading: Reading, leaks: LeakWatch): Reading {
  let checking: Promise<void> | null = null
  const finish: Source['finish'] = async () => {
    await reading.source.finish()
    checking ??= inFull(() => leaks.check())
    await checking
  }
  return {
    source: { ...reading.source, finish },
    stages: reading.stages,
    get progress() {
      return reading.progress
    },
    report: reading.report,
  }
}

function describe({ sha256, key }: Masking, { plan, subset: open }: MaskedSnapshot): Masked {
  const subset = open?.subset ?? null
  const parts = subset?.filtered.flatMap((table) => table.parts) ?? []
  const rowsBefore = new Map(parts.map((part) => [relationKey(part), part.before]))
  const masks = new Map(
    partsOf(plan, 'masked').map(({ table, part }) => [relationKey(part), maskCounts({ tables: [table] })]),
  )
  const describeTable = (table: TableRows): TableRows => {
    const [before, counts = {}] = [rowsBefore.get(relationKey(table)), masks.get(relationKey(table))]
    return {
      ...table,
      ...(before === undefined ? {} : { rowsBefore: before }),
      ...(Object.keys(counts).length === 0 ? {} : { masks: counts }),
    }
  }
  return {
    ...{ plan, subset },
    record: { sha256, keyId: key.id, columns: maskCounts(plan) },
    describeTables: (tables) => tables.map(describeTable),
  }
}
