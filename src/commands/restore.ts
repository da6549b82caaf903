import type { TemporaryDatabase } from '../database/staging.ts'
import { formatDuration } from '../report/format.ts'
import { log } from '../report/log.ts'
import { createRoles } from '../restoring/create-roles.ts'
import { downloadDump, readEntries, UNTOUCHED } from '../restoring/download-dump.ts'
import { type Dump, dumpFinder } from '../restoring/find-dump.ts'
import { foretellRestore } from '../restoring/foretell-restore.ts'
import { type Replacement, replaceDatabase } from '../restoring/replace-database.ts'
import { checkMasked } from '../restoring/require-masked.ts'
import { type Content, type Restored, restoreInPlace } from '../restoring/restore-in-place.ts'
import { restorePoint } from '../restoring/restore-point.ts'
import { createStagingFor, type Target } from '../restoring/target.ts'
import { copyFromTemplate, type HookPlan, splitHooks } from '../restoring/template-cache.ts'
import { databaseSink, sizesIn } from '../restoring/transfer-archive.ts'
import { placeOf } from '../step/open-storage.ts'
import type { Step } from '../step/step.ts'
import { parseDumpKey } from '../storage/keys.ts'
import type { Manifest } from '../storage/manifest.ts'
import { largestOf, restoreSummary } from '../summary/dump-summary.ts'
import { countOutputs, liveOutputs, type Outcome } from '../summary/outcome.ts'

type Built = { staging: TemporaryDatabase; result: Content }

/** Restores a stored dump into a staging database, checks it, runs hooks and swaps it in. */
export async function restore(step: Step): Promise<Outcome> {
  if (step.inputs.dumpKey.startsWith(':')) return restorePoint(step)
  await using scope = new AsyncDisposableStack()
  const find = maskedDumpFinder(step, scope)
  const restoreOnce = step.inputs.swap ? restoreAndSwap : restoreInPlace
  const restored = await step.retry(() => restoreOnce(step, find))
  return 'outputs' in restored ? restored : describeRestore(step, await find(), restored)
}

/** Returns what finds the dump, and refuses it if only masked dumps may be restored. */
function maskedDumpFinder(step: Step, scope: AsyncDisposableStack): () => Promise<Dump> {
  const find = dumpFinder(step, scope)
  return async () => {
    const dump = await find()
    checkMasked(step.inputs, dump.chosen)
    return dump
  }
}

/** @returns the outcome of the step after a dry run */
async function restoreAndSwap(step: Step, find: () => Promise<Dump>): Promise<Restored | Outcome> {
  const replaced = await replaceDatabase(step, async () => planReplacement(step, await find()))
  if ('outputs' in replaced) return replaced
  const { result, ...live } = replaced
  return { ...result, ...live }
}

async function planReplacement(step: Step, dump: Dump): Promise<Replacement<Content>> {
  const { inputs } = step
  const { manifest } = dump.chosen
  if (inputs.templateCache > 0 && !manifest)
    log.warning('template-cache has no effect, because this dump has no manifest')
  const cached = inputs.templateCache > 0 && manifest !== null
  const plan = cached ? { manifest, hooks: await splitHooks(inputs, step.workspace) } : null
  return {
    what: dump.chosen.key,
    check: async (target) => {
      if (inputs.dryRun) await createRoles(inputs, dump, target)
      if (inputs.dryRun) await foretellRestore(step, target, await readEntries(dump))
    },
    build: async (target) => {
      await createRoles(inputs, dump, target)
      const restoreIt = () => restoreBeside(step, dump, target)
      return plan ? restoreByTemplate(step, plan, target, restoreIt) : restoreIt()
    },
    hooks: plan?.hooks.live ?? inputs.preSwapHooks,
  }
}

/** Copies the template of the dump. The content was checked when the template was made. */
async function restoreByTemplate(
  step: Step,
  plan: { manifest: Manifest; hooks: HookPlan },
  target: Target,
  restoreIt: () => Promise<Built>,
): Promise<Built> {
  const staging = await copyFromTemplate(step, plan, target, async () => (await restoreIt()).staging)
  return { staging, result: { sha256: plan.manifest.sha256, counted: plan.manifest, transferMs: null } }
}

/** Restores the dump into a new staging database. */
async function restoreBeside(step: Step, dump: Dump, target: Target): Promise<Built> {
  const { server, client } = target
  await using unfinished = new AsyncDisposableStack()
  const staging = unfinished.use(await createStagingFor(target, dump.chosen.manifest?.locale ?? null))
  const result = await log.group(`Restore into ${staging.name}`, async () =>
    downloadDump(
      step,
      dump,
      { server, client, database: staging.name, untouched: UNTOUCHED },
      databaseSink(step, client, staging.name, sizesIn(dump.chosen.manifest)),
    ),
  )
  unfinished.move()
  return { staging, result }
}

function describeRestore(step: Step, { storage, chosen }: Dump, restored: Restored): Outcome {
  const { key, size, manifest } = chosen
  const { effort } = step
  const target = step.target.label
  const place = placeOf(step.inputs, storage, key)
  log.info(`Restored ${key} into ${target} in ${formatDuration(effort.durationMs)}`)
  return {
    outputs: {
      'dump-key': key,
      'dump-uri': place.uri,
      'dump-size': size,
      'dump-sha256': restored.sha256,
      'created-at': parseDumpKey(key)?.createdAt ?? '',
      ...countOutputs(restored.counted),
      ...liveOutputs(restored),
    },
    details: { tables: largestOf(restored.counted.tables), transferMs: restored.transferMs },
    summary: [restoreSummary({ key, size, manifest, place, target, ...restored, ...effort })],
  }
}
