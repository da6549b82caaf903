import type { Compression } from '../archive/archive.ts'
import { type ArchiveReport, createEncoder } from '../archive/archive.ts'
import type { Context } from '../context.ts'
import { clientEnvironment, hostName } from '../database/connection.ts'
import { checkPatterns, dumpArguments, dumpFilters, startDump } from '../database/dump.ts'
import { runHooks } from '../database/hooks.ts'
import { type Locale, readLocale } from '../database/locale.ts'
import { Session } from '../database/psql.ts'
import { databaseSize, lookAtServer, type Server } from '../database/server.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { notePending } from '../process/pending.ts'
import { commitSink, Meter, type Source, transfer, within } from '../process/transfer.ts'
import { formatBytes } from '../report/format.ts'
import { log } from '../report/log.ts'
import { countOutputs, setOutputs } from '../report/outputs.ts'
import { describeRows, showProgress, tableProgress } from '../report/progress.ts'
import { type DumpKey, manifestKey, newDumpKey } from '../storage/keys.ts'
import { formatManifest, type Manifest } from '../storage/manifest.ts'
import { groupOf, hasRules } from '../storage/retention.ts'
import { type Storage, TakenError } from '../storage/storage.ts'
import { type Pruned, pruneSummary } from '../summary/catalogue.ts'
import { dumpSummary } from '../summary/dump.ts'
import { writeSummary } from '../summary/summary.ts'
import type { PostgresClient } from '../tools/postgres.ts'
import { anyClient } from '../tools/postgres.ts'
import { ACTION_VERSION } from '../version.ts'
import { checkExpiry, connectionOf, openClient, openStorage, placeOf, toolOptions } from './prepare.ts'
import { pruneDumps, pruneOutputs } from './prune.ts'
import { checkShrinkage, findPrevious } from './shrink.ts'

type Look = { server: Server; size: number; locale: Locale }

/** Hooks → stream a dump into storage → check it there → commit its manifest. */
export async function dump(context: Context): Promise<void> {
  const started = Date.now()
  const { storage, look, client } = await log.group('Prepare', () => prepare(context))
  await runPreDumpHooks(context, storage, client)
  const key = nameDump(context)
  // Beside the dump: it is needed for the commit only, and every question to S3 takes a second.
  const previous = findPrevious(context, storage, groupOf(key))
  previous.catch(() => undefined)
  const forget = notePending({ kind: 'data', keys: [key.key] })
  let manifest: Manifest
  try {
    const stored = await log.group(`Dump ${connectionOf(context).label} to ${storage.address(key.key)}`, () =>
      store(context, { storage, key, look, client }),
    )
    manifest = describe(context, { key, look, client, ...stored, durationMs: Date.now() - started })
    await commit(context, storage, manifest, previous)
  } finally {
    forget()
  }
  const pruned = await pruneAfter(context, storage, key)
  await report(context, storage, { manifest, previous: await previous, pruned })
}

/** Everything that can fail early, before the first byte is dumped. */
async function prepare(context: Context): Promise<Omit<Plan, 'key'>> {
  const [storage, source] = await Promise.all([openStorage(context), lookAtSource(context)])
  const problem = storage.tooLarge(source.look.size)
  if (problem) throw new Error(problem)
  checkExpiry(context, { kind: 'dump', bytes: source.look.size })
  return { storage, ...source }
}

/** Hooks may take long and change the source, so they run only when the store has answered. */
async function runPreDumpHooks(context: Context, storage: Storage, { psql }: PostgresClient): Promise<void> {
  const hooks = context.inputs.preDumpHooks
  if (hooks.length === 0) return
  await storage.check()
  await runHooks('pre-dump-hooks', hooks, connectionOf(context), { ...context, psql })
}

async function lookAtSource(context: Context): Promise<{ look: Look; client: PostgresClient }> {
  const connection = connectionOf(context)
  const { psql } = await anyClient(toolOptions(context))
  await using session = await Session.open(connection, { ...context, psql })
  const server = await lookAtServer(session)
  const size = await databaseSize(session)
  const locale = (await readLocale(session, server, connection.database))!
  log.info(`${connection.label}: PostgreSQL ${server.version}, ${formatBytes(size)}, as "${server.role}"`)
  await checkPatterns(session, context.inputs)
  return {
    look: { server, size, locale },
    client: await openClient(context, { serverMajor: server.major, purpose: 'dump' }),
  }
}

function nameDump({ inputs, run }: Context): DumpKey {
  const connection = inputs.connection!
  const instance = inputs.instance || run.repository.split('/').at(-1) || hostName(connection)
  return newDumpKey({ instance, database: connection.database, config: inputs.config }, new Date())
}

/** The newest pg_dump whose archives we are sure to read. A newer one compresses by itself, so that nothing depends on it. */
const NEWEST_CLIENT = 18

/** zstd where the `pg_restore` beside this `pg_dump` reads it, because somebody will want to restore without us. */
function chooseCompression({ method, level }: Inputs['compression'], clientMajor: number): Compression {
  if (method !== 'auto') return { method, level: level ?? undefined }
  return { method: clientMajor >= 16 ? 'zstd' : 'gzip' }
}

/**
 * An upper estimate of what is stored. Rows are longer as text than in their pages (a timestamp has 8 bytes and 26
 * characters, `bytea` doubles), the database grows meanwhile, and only compression makes up for it.
 */
export function expectedBytes(databaseBytes: number, { method }: Inputs['compression']): number {
  return databaseBytes * (method === 'none' ? 4 : 2)
}

type Plan = { storage: Storage; key: DumpKey; look: Look; client: PostgresClient }
type Stored = { size: number; sha256: string; archive: ArchiveReport }

/** Moves the dump into storage and makes sure that all of it is there. */
async function store(context: Context, { storage, key, look, client }: Plan): Promise<Stored> {
  const { inputs, environment, signal } = context
  const meter = new Meter()
  const encoder = createEncoder({
    compression: chooseCompression(inputs.compression, client.major),
    jobs: inputs.jobs,
  })
  const moved = () => encoder.progress.rawBytes + meter.bytes
  using _ = showProgress({
    verb: 'Dumped',
    bytes: () => encoder.progress.rawBytes,
    total: { bytes: look.size, of: "the database's size" },
    detail: () => tableProgress(encoder.progress),
  })
  const args = dumpArguments(inputs, client.major <= NEWEST_CLIENT ? 'ours' : 'theirs')
  const source = startDump(client.pgDump, args, clientEnvironment(connectionOf(context), environment))
  await untilFirstByte(source, signal, inputs.idleTimeout)
  const sink = await storage
    .upload(key.key, expectedBytes(look.size, inputs.compression))
    .catch(async (error) => {
      await source.abort()
      throw error
    })
  await transfer(source, sink, {
    stages: [encoder.transform, meter.stage],
    signal,
    idleTimeout: inputs.idleTimeout,
    moved,
  })
  try {
    using limit = within(signal, inputs.idleTimeout, 'The store did not finish the upload')
    await commitSink(sink, limit.signal)
    await checkStored(storage, key, meter.bytes)
  } catch (error) {
    await discard(storage, key.key, error)
    throw error
  }
  const archive = encoder.report()
  if (archive.opaque)
    log.notice(
      `pg_dump ${client.version} writes archives of version ${archive.version}, which this release cannot read: no rows were counted`,
    )
  log.info(
    `Stored ${formatBytes(meter.bytes)} of ${formatBytes(archive.rawBytes)}, ${describeRows(archive)}, SHA-256 ${meter.sha256}`,
  )
  return { size: meter.bytes, sha256: meter.sha256, archive }
}

/** The upload begins when there is something to upload: a dump that fails at once leaves no trace in the store. */
async function untilFirstByte(source: Source, cancelled: AbortSignal, idleTimeout: number): Promise<void> {
  const { stream } = source
  using limit = within(cancelled, idleTimeout, 'pg_dump sent nothing')
  const { signal } = limit
  try {
    await new Promise<void>((ready, fail) => {
      // This listener stays: when a child exits, Node throws away what nobody is listening for.
      stream.on('readable', ready)
      stream.once('end', ready)
      stream.once('error', () => ready())
      if (signal.aborted) fail(signal.reason)
      signal.addEventListener('abort', () => fail(signal.reason), { once: true })
    })
    if (stream.readableLength === 0) await source.finish()
  } catch (error) {
    await source.abort()
    throw error
  }
}

/** Takes back what was stored and did not become a dump. Without the right to delete it stays, uncommitted. */
async function discard(storage: Storage, key: string, reason: unknown): Promise<void> {
  // Of two runs that gave their dumps one name, the other one was faster: what lies there is its dump.
  if (reason instanceof TakenError) return
  await storage
    .remove(key)
    .catch((error) => log.warning(`${key} may stay in storage, uncommitted: ${error.message}`))
}

/** A store may keep less, more or other than it was sent. */
async function checkStored(storage: Storage, key: DumpKey, sent: number): Promise<void> {
  const size = await storage.size(key.key)
  if (size === sent) return
  const found = size === null ? 'does not have it' : `holds ${size} bytes`
  throw new Error(
    `${sent} bytes were sent and the store ${found}; the dump was not committed. With a provider other than AWS, try s3-checksum: when-required`,
  )
}

function describe(
  { inputs, run }: Context,
  {
    key,
    look,
    client,
    size,
    sha256,
    archive,
    durationMs,
  }: Omit<Plan, 'storage'> & Stored & { durationMs: number },
): Manifest {
  return {
    version: 1,
    ...key,
    size,
    sha256,
    compression: archive.opaque ? 'pg_dump' : chooseCompression(inputs.compression, client.major).method,
    rawBytes: archive.rawBytes,
    rows: archive.rows,
    tables: [...archive.tables],
    serverVersion: look.server.version,
    clientVersion: client.version,
    actionVersion: ACTION_VERSION,
    locale: look.locale,
    filters: dumpFilters(inputs),
    durationMs,
    run,
  }
}

/** The moment at which the dump becomes one. */
async function commit(
  { inputs }: Context,
  storage: Storage,
  manifest: Manifest,
  previous: Promise<Manifest | null>,
): Promise<void> {
  try {
    checkShrinkage(inputs, await previous, manifest)
    await storage.writeTextOnce(manifestKey(manifest.key), formatManifest(manifest))
    log.info(`Committed ${storage.address(manifest.key)}`)
  } catch (error) {
    await discard(storage, manifest.key, error)
    throw error
  }
}

/** The dump is good whatever becomes of older ones, so that a prune that fails is only a warning. */
async function pruneAfter(context: Context, storage: Storage, key: DumpKey): Promise<Pruned | null> {
  if (!hasRules(context.inputs.keep)) return null
  try {
    const scope = { prefix: groupOf(key), narrowing: { instance: '', config: '' } }
    return await log.group(`Prune ${scope.prefix}`, () => pruneDumps(context, storage, scope))
  } catch (error) {
    log.warning(`The dump is committed, and older ones were not pruned: ${(error as Error).message}`)
    return null
  }
}

async function report(
  context: Context,
  storage: Storage,
  { manifest, previous, pruned }: { manifest: Manifest; previous: Manifest | null; pruned: Pruned | null },
): Promise<void> {
  const place = placeOf(context, storage, manifest.key)
  const source = connectionOf(context).label
  await writeSummary(context, dumpSummary(manifest, { source, place, previous }))
  if (pruned) await writeSummary(context, pruneSummary(pruned, storage.address(groupOf(manifest))))
  setOutputs({
    ...(pruned ? pruneOutputs(pruned) : {}),
    'dump-key': manifest.key,
    'dump-uri': place.uri,
    'dump-size': manifest.size,
    'dump-sha256': manifest.sha256,
    'created-at': manifest.createdAt,
    ...countOutputs(manifest),
    'server-version': manifest.serverVersion,
    'duration-ms': manifest.durationMs,
  })
}
