import { allOf } from '../all-of.ts'
import { hostName, serverName } from '../database/connection/connection.ts'
import { runHooks } from '../database/hooks.ts'
import { dumpFilters } from '../database/pg-dump.ts'
import { commitDump } from '../dumping/commit-dump.ts'
import { compareWithPrevious, findPrevious } from '../dumping/compare-with-previous.ts'
import type { Masked } from '../dumping/masked-dump.ts'
import { type Masking, readMasking } from '../dumping/masking.ts'
import { rehearseMasks } from '../dumping/plan-masks.ts'
import { warnOfPublicWorkspace } from '../dumping/public-workspace.ts'
import { chooseAgain, lookAtSource } from '../dumping/source-database.ts'
import { describeGlobals, readGlobalsText } from '../dumping/store-globals.ts'
import { chooseCompression, type DumpPlan, discard, type Stored, uploadDump } from '../dumping/upload-dump.ts'
import { messageOf } from '../errors.ts'
import { notePending } from '../leftovers.ts'
import { onceDone } from '../once-done.ts'
import { log } from '../report/log.ts'
import { checkExpiry, placeOf } from '../step/open-storage.ts'
import type { Step } from '../step/step.ts'
import { newDumpKey } from '../storage/keys.ts'
import type { Manifest } from '../storage/manifest.ts'
import { type Pruned, pruneDumps } from '../storage/prune-dumps.ts'
import { hasRules } from '../storage/retention.ts'
import { groupOf, type Source, seriesOf } from '../storage/series.ts'
import type { Storage, StoredObject } from '../storage/storage.ts'
import { dumpDetails, dumpSummary } from '../summary/dump-summary.ts'
import { maskPlanSummary, maskSummary } from '../summary/mask-summary.ts'
import { countOutputs, type Outcome, pruneOutputs } from '../summary/outcome.ts'
import { pruneSummary } from '../summary/storage-summary.ts'
import { ACTION_VERSION } from '../version.ts'

/** Runs hooks, streams a dump into storage, checks it there and commits it by writing its manifest. */
export async function dump(step: Step): Promise<Outcome> {
  const masking = await readMasking(step)
  if (masking && step.inputs.dryRun) return await step.retry(() => rehearse(step, masking))
  const plan = { ...(await step.retry(() => log.group('Prepare', () => prepare(step)))), masking }
  // Hooks run once, because a failed dump does not undo them.
  await step.retry(() => runPreDumpHooks(step, plan))
  const dumped = await step.retry(() => dumpOnce(step, plan))
  const pruned = await pruneAfter(step, plan.storage, dumped.manifest)
  return describeDump(step, plan.storage, { ...dumped, pruned })
}

/** A committed dump, and the previous one if the two can be compared. */
type Committed = {
  manifest: Manifest
  previous: Manifest | null
  masked: Masked | null
  transferMs: number
}

/** Plans the masks without a dump. */
async function rehearse(step: Step, masking: Masking): Promise<Outcome> {
  const source = await log.group('Prepare', () => lookAtSource(step, step.target))
  const { plan, subset } = await rehearseMasks(step, source, masking)
  log.info(`Dry run: ${masking.file.file} decides every table and column of ${step.target.label}`)
  return { outputs: {}, summary: [maskPlanSummary(step.target.label, plan, subset)] }
}

/** What does not change from attempt to attempt. */
type Prepared = Pick<DumpPlan, 'storage' | 'source' | 'masking'> & {
  /** Checks the storage, and lists the dumps before this one. It has begun; a failure is repeated. */
  check: () => Promise<StoredObject[] | null>
  /** The roles of the server, or null. */
  globals: string | null
}

/** Makes one attempt. Each attempt has its own key. */
async function dumpOnce(step: Step, prepared: Prepared): Promise<Committed> {
  const { storage, masking } = prepared
  const names = namesOf(step)
  const key = newDumpKey({ ...names, encrypted: step.inputs.encryptTo.length > 0 }, new Date())
  const source = await chooseAgain(step, prepared.source)
  const ready = prepared.check()
  const plan = { storage, source, masking, key, ready }
  const forget = notePending({ kind: 'data', keys: [plan.key.key] })
  try {
    const title = `Dump ${step.target.label} to ${storage.address(plan.key.key)}`
    // The previous dump is looked up meanwhile, because every request to S3 takes most of a second.
    const finding = ready.then((listed) => findPrevious(step.inputs, storage, { key, source: names }, listed))
    finding.catch(() => undefined)
    const stored = await log.group(title, () => uploadDump(step, plan))
    const manifest = {
      ...makeManifest(step, { ...plan, ...stored }, names),
      ...describeGlobals(key.key, prepared.globals),
    }
    return {
      manifest,
      previous: await compareAndCommit(step, prepared, manifest, finding),
      masked: stored.masked,
      transferMs: stored.transferMs,
    }
  } finally {
    forget()
  }
}

/** Checks everything that can fail early, before the first byte is dumped. */
async function prepare(step: Step): Promise<Omit<Prepared, 'masking'>> {
  await warnOfPublicWorkspace(step)
  const [{ storage, check }, source] = await allOf([openAndCheck(step), lookAtSource(step, step.target)])
  const problem = storage.tooLarge(source.size)
  if (problem) throw new Error(problem)
  checkExpiry(step, { kind: 'dump', bytes: source.size })
  return { storage, source, check, globals: await readGlobalsText(step) }
}

/** Opens the storage and begins its check. It must answer before hooks change the source. */
async function openAndCheck(step: Step): Promise<Pick<Prepared, 'storage' | 'check'>> {
  const storage = await step.storage()
  const check = onceDone(() => storage.check(groupOf(newDumpKey(namesOf(step), new Date()))))
  let begun: ReturnType<typeof check> | null = check()
  // Without hooks it answers while pg_dump starts.
  if (step.inputs.preDumpHooks.length > 0) await begun
  else begun.catch(() => undefined)
  const takeCheck = () => {
    const answer = begun ?? check()
    begun = null
    return answer
  }
  return { storage, check: takeCheck }
}

/** Runs the hooks. */
async function runPreDumpHooks(step: Step, { source }: Prepared): Promise<void> {
  const hooks = step.inputs.preDumpHooks
  if (hooks.length === 0) return
  await runHooks('pre-dump-hooks', hooks, source.connection, step.hookOptions(source.client))
}

function namesOf({ inputs, run, target }: Step): Source {
  const instance = inputs.instance || run.repository.split('/').at(-1) || hostName(target)
  return { instance, host: serverName(target), database: target.database, config: inputs.config }
}

function makeManifest(
  { inputs, run, effort }: Step,
  {
    key,
    source: { server, locale, client },
    size,
    sha256,
    archive,
    masked,
  }: Pick<DumpPlan, 'key' | 'source'> & Stored,
  names: Source,
): Manifest {
  return {
    version: 1,
    ...key,
    source: names,
    size,
    sha256,
    compression: archive.opaque ? 'pg_dump' : chooseCompression(inputs.compression, client.major).method,
    ...(inputs.encryptTo.length > 0
      ? { encryption: { format: 'age', recipients: [...inputs.encryptTo] } }
      : {}),
    rawBytes: archive.rawBytes,
    rows: archive.rows,
    tables: masked ? masked.describeTables(archive.tables) : [...archive.tables],
    serverVersion: server.version,
    clientVersion: client.version,
    actionVersion: ACTION_VERSION,
    locale,
    filters: dumpFilters(inputs),
    ...(masked ? { mask: masked.record } : {}),
    durationMs: effort.durationMs,
    run,
  }
}

/**
 * Compares a dump with the previous one and commits it, at once unless it may be refused for having shrunk.
 *
 * @returns the previous dump if the two can be compared, otherwise null
 */
async function compareAndCommit(
  { inputs, signal }: Step,
  { storage, globals }: Pick<Prepared, 'storage' | 'globals'>,
  manifest: Manifest,
  finding: Promise<Manifest | null>,
): Promise<Manifest | null> {
  const comparing = finding.then((found) => compareWithPrevious(inputs, found, manifest))
  if (inputs.failOnShrink) {
    await comparing.catch(async (error) => {
      await discard(storage, manifest.key, error)
      throw error
    })
  }
  const [, previous] = await allOf([commitDump(storage, manifest, signal, globals), comparing])
  return previous
}

/** Prunes older dumps. The new one is committed by now, so a failure is only a warning. */
async function pruneAfter(
  { inputs, signal }: Step,
  storage: Storage,
  manifest: Manifest,
): Promise<Pruned | null> {
  if (!hasRules(inputs.keep)) return null
  try {
    const scope = seriesOf(manifest)
    return await log.group(`Prune ${scope.folder}`, () => pruneDumps(storage, scope, { ...inputs, signal }))
  } catch (error) {
    log.warning(`The dump is committed, and older ones were not pruned: ${messageOf(error)}`)
    return null
  }
}

function describeDump(
  step: Step,
  storage: Storage,
  { manifest, previous, masked, transferMs, pruned }: Committed & { pruned: Pruned | null },
): Outcome {
  const place = placeOf(step.inputs, storage, manifest.key)
  const { attempts } = step.effort
  const overview = { source: step.target.label, place, previous, transferMs, attempts }
  return {
    outputs: {
      ...(pruned ? pruneOutputs(pruned) : {}),
      'dump-key': manifest.key,
      'dump-uri': place.uri,
      'dump-size': manifest.size,
      'dump-sha256': manifest.sha256,
      'created-at': manifest.createdAt,
      ...countOutputs(manifest),
      'server-version': manifest.serverVersion,
    },
    details: dumpDetails(manifest, previous, transferMs),
    summary: [
      dumpSummary(manifest, overview),
      ...(masked ? maskSummary(masked.plan, masked.subset) : []),
      ...(pruned ? [pruneSummary(pruned, storage.address(groupOf(manifest)))] : []),
    ],
  }
}
