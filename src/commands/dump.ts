import { hostName } from '../database/connection/connection.ts'
import { runHooks } from '../database/hooks.ts'
import { dumpFilters } from '../database/pg-dump.ts'
import { checkShrinkage, findPrevious } from '../dumping/compare-with-previous.ts'
import { lookAtSource } from '../dumping/source-database.ts'
import { chooseCompression, discard, type Plan, type Stored, store } from '../dumping/upload-dump.ts'
import { notePending } from '../leftovers.ts'
import { log } from '../report/log.ts'
import { countOutputs, setOutputs } from '../report/outputs.ts'
import type { Context } from '../step/context.ts'
import { checkExpiry, connectionOf, openStorage, placeOf } from '../step/prepare.ts'
import { Attempts } from '../step/retries.ts'
import { mayPass } from '../step/retryable.ts'
import { type DumpKey, manifestKey, newDumpKey } from '../storage/keys.ts'
import { formatManifest, type Manifest } from '../storage/manifest.ts'
import { groupOf, hasRules } from '../storage/retention.ts'
import type { Storage } from '../storage/storage.ts'
import { dumpSummary } from '../summary/dump-summary.ts'
import { type Pruned, pruneSummary } from '../summary/storage-summary.ts'
import { writeSummary } from '../summary/summary.ts'
import { ACTION_VERSION } from '../version.ts'
import { pruneDumps, pruneOutputs } from './prune.ts'

/** Hooks → stream a dump into storage → check it there → commit its manifest. */
export async function dump(context: Context): Promise<void> {
  const started = Date.now()
  const attempts = new Attempts(context)
  const plan = await attempts.run(() => log.group('Prepare', () => prepare(context)))
  // Once: what they did is done, whatever becomes of the dump.
  await attempts.run(() => runPreDumpHooks(context, plan))
  const dumped = await attempts.run(() => dumpOnce(context, plan, started))
  const { storage } = plan
  const pruned = await pruneAfter(context, storage, dumped.manifest)
  await report(context, storage, dumped, { pruned, attempts: attempts.made })
}

/** A committed dump, and the one before it. */
type Compared = { manifest: Manifest; previous: Manifest | null }

/** One attempt, under a key of its own. */
async function dumpOnce(context: Context, prepared: Omit<Plan, 'key'>, started: number): Promise<Compared> {
  const { storage } = prepared
  const plan = { ...prepared, key: nameDump(context) }
  // Beside the dump: it is needed for the commit only, and every question to S3 takes a second.
  const previous = findPrevious(context, storage, groupOf(plan.key))
  previous.catch(() => undefined)
  const forget = notePending({ kind: 'data', keys: [plan.key.key] })
  try {
    const title = `Dump ${connectionOf(context).label} to ${storage.address(plan.key.key)}`
    const stored = await log.group(title, () => store(context, plan))
    const manifest = describe(context, { ...plan, ...stored, durationMs: Date.now() - started })
    await commit(context, storage, manifest, previous)
    return { manifest, previous: await previous }
  } finally {
    forget()
  }
}

/** Everything that can fail early, before the first byte is dumped. */
async function prepare(context: Context): Promise<Omit<Plan, 'key'>> {
  const [storage, source] = await Promise.all([
    openStorage(context),
    lookAtSource(context, connectionOf(context), async () => ({})),
  ])
  const problem = storage.tooLarge(source.size)
  if (problem) throw new Error(problem)
  checkExpiry(context, { kind: 'dump', bytes: source.size })
  return { storage, source }
}

/** Hooks may take long and change the source, so they run only when the store has answered. */
async function runPreDumpHooks(context: Context, { storage, source }: Omit<Plan, 'key'>): Promise<void> {
  const hooks = context.inputs.preDumpHooks
  if (hooks.length === 0) return
  await storage.check()
  await runHooks('pre-dump-hooks', hooks, source.connection, { ...context, psql: source.client.psql })
}

function nameDump({ inputs, run }: Context): DumpKey {
  const connection = inputs.connection!
  const instance = inputs.instance || run.repository.split('/').at(-1) || hostName(connection)
  return newDumpKey({ instance, database: connection.database, config: inputs.config }, new Date())
}

function describe(
  { inputs, run }: Context,
  {
    key,
    source: { server, locale, client },
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
    serverVersion: server.version,
    clientVersion: client.version,
    actionVersion: ACTION_VERSION,
    locale,
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
    // A writing whose answer was lost may have happened; a manifest without its dump would mislead.
    if (mayPass(error)) await discard(storage, manifestKey(manifest.key), error)
    await discard(storage, manifest.key, error)
    throw error
  }
}

/** The dump is good whatever becomes of older ones, so that a prune that fails is only a warning. */
async function pruneAfter(
  context: Context,
  storage: Storage,
  key: Pick<DumpKey, 'instance' | 'database' | 'config'>,
): Promise<Pruned | null> {
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
  { manifest, previous }: Compared,
  { pruned, attempts }: { pruned: Pruned | null; attempts: number },
): Promise<void> {
  const place = placeOf(context, storage, manifest.key)
  const source = connectionOf(context).label
  await writeSummary(context, dumpSummary(manifest, { source, place, previous, attempts }))
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
