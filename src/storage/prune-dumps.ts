import { notePending } from '../leftovers.ts'
import { formatBytes, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import {
  type CatalogueEntry,
  describeSizes,
  noteOrphans,
  readCatalogue,
  tryManifests,
} from './dump-catalog.ts'
import { type DumpKey, dumpsOfGlobals, manifestKey } from './keys.ts'
import { formatManifest, type Manifest } from './manifest.ts'
import { type Candidate, decide, type KeepRules } from './retention.ts'
import { type Scope, sourceOf } from './series.ts'
import type { Removal, Storage } from './storage.ts'

export type PruneOptions = { keep: KeepRules; dryRun: boolean; signal: AbortSignal }

/** What happens to a committed dump, and why. */
type Fate = { key: DumpKey; size: number; keep: boolean; reasons: readonly string[] }

/** What a prune deleted and kept, or with `dryRun` would. The other numbers count what it does not touch. */
export type Pruned = {
  /** Newest first. */
  fates: readonly Fate[]
  uncommitted: number
  orphans: number
  foreign: number
  dryRun: boolean
  /** The bucket keeps versions, so no space is free yet. */
  versionsStay: boolean
}

/** Prunes dumps. Everything is read and decided before anything is deleted, so a failed listing deletes nothing. */
export async function pruneDumps(
  storage: Storage,
  scope: Scope,
  { keep, dryRun, signal }: PruneOptions,
): Promise<Pruned> {
  // The sweep runs during the work, because nothing waits for it.
  const swept = dryRun
    ? undefined
    : storage.sweep().catch((error) => log.debug(`Leftovers: ${error.message}`))
  const { entries, orphans, strayGlobals, foreign } = await readCatalogue(storage, scope.folder)
  noteOrphans(orphans)
  const wanted = entries.filter((entry) => entry.committed && scope.mayFit(entry.key))
  const { sound, unsound } = await sortOut(storage, wanted)
  const verdicts = decide(scope.select(sound).flat(), keep, new Date().toISOString())
  const doomed = verdicts.filter((verdict) => !verdict.keep).map(({ dump }) => dump)
  signal.throwIfAborted()
  const removed = dryRun ? NOTHING_REMOVED : await remove(storage, doomed)
  const stray = strayGlobals.filter((key) => dumpsOfGlobals(key).some(scope.mayFit))
  if (!dryRun) await removeGlobals(storage, stray)
  const judged = verdicts.map(({ dump, keep, reasons }): Fate => {
    const refusal = removed.refused.get(dump.key.key)
    if (!refusal) return { ...dump, keep, reasons }
    return { ...dump, keep: true, reasons: [`cannot be deleted: ${refusal.reason}`] }
  })
  const fates = [...judged, ...unsound].sort((a, b) => (a.key.createdAt < b.key.createdAt ? 1 : -1))
  const uncommitted = entries.filter((entry) => !entry.committed).length
  const { versionsStay } = removed
  const pruned = { fates, uncommitted, orphans: orphans.length, foreign, dryRun, versionsStay }
  logFates(pruned)
  await swept
  checkRefusals(removed)
  return pruned
}

type Sound = Candidate & { size: number; manifest: Manifest }

/** Separates dumps that contradict their manifest, or whose manifest cannot be read: they stay, and no rule counts them. */
async function sortOut(
  storage: Storage,
  entries: readonly CatalogueEntry[],
): Promise<{ sound: Sound[]; unsound: Fate[] }> {
  const manifests = await tryManifests(storage, entries)
  const sound: Sound[] = []
  const unsound: Fate[] = []
  for (const { key, size } of entries) {
    const manifest = manifests.get(key.key)!
    if (!(manifest instanceof Error) && manifest.size === size) {
      sound.push({
        key,
        source: sourceOf(manifest),
        size,
        manifest,
        verified: manifest.verified !== undefined,
      })
      continue
    }
    const problem = manifest instanceof Error ? manifest.message : describeSizes(size, manifest)
    log.warning(`${key.key} is kept and not counted: ${problem}`)
    unsound.push({ key, size, keep: true, reasons: ['not sound, see the log'] })
  }
  return { sound, unsound }
}

type Removed = { refused: Removal['refused']; versionsStay: boolean }

const NOTHING_REMOVED: Removed = { refused: new Map(), versionsStay: false }

/**
 * Removes manifests before data, so that a manifest never promises data that is gone. They are removed once more with the
 * data, because a verify that runs meanwhile may have rewritten them.
 *
 * @returns the reason for each dump that storage refused to delete and that therefore stays whole
 */
async function remove(storage: Storage, dumps: readonly Sound[]): Promise<Removed> {
  const refused: Removed['refused'] = new Map()
  const forget = notePending({ kind: 'data', keys: dumps.map(({ key }) => key.key) })
  const manifests = await storage.removeAll(dumps.map(({ key }) => manifestKey(key.key)))
  const open = dumps.filter(({ key }) => !manifests.refused.has(manifestKey(key.key)))
  const both = open.flatMap(({ key }) => [key.key, manifestKey(key.key)])
  const data = await storage.removeAll(both).catch((error) => {
    throw new Error(
      `The manifests of ${formatQuantity(open.length, 'dump')} are deleted, but their data may stay, uncommitted: ${error.message}. Run prune again`,
      { cause: error },
    )
  })
  for (const { key, manifest } of dumps) {
    const refusal = manifests.refused.get(manifestKey(key.key)) ?? data.refused.get(key.key)
    if (refusal === undefined) continue
    if (data.refused.has(key.key)) await storage.writeTextOnce(manifestKey(key.key), formatManifest(manifest))
    log.warning(`${key.key} cannot be deleted and is kept: ${refusal.reason}`)
    refused.set(key.key, refusal)
  }
  await removeGlobals(
    storage,
    open.flatMap(({ key, manifest }) => (refused.has(key.key) ? [] : (manifest.globals?.key ?? []))),
  )
  forget()
  return { refused, versionsStay: manifests.versionsStay || data.versionsStay }
}

/** Removes the roles of dumps that are gone. What stays is removed by a later prune. */
async function removeGlobals(storage: Storage, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return
  const { refused } = await storage.removeAll(keys)
  for (const [key, { reason }] of refused) log.warning(`${key} cannot be deleted and stays: ${reason}`)
}

/** Fails if storage refused a deletion, unless a retention that the bucket's owner chose is the reason. */
function checkRefusals({ refused }: Removed): void {
  const denied = [...refused.values()].filter(({ retained }) => !retained)
  if (denied.length === 0) return
  throw new Error(
    `${formatQuantity(denied.length, 'dump')} could not be deleted (on S3, grant s3:DeleteObject): ${denied[0]!.reason}`,
  )
}

function logFates(pruned: Pruned): void {
  const { fates, dryRun } = pruned
  for (const { key, size, keep, reasons } of fates) {
    const fate = keep ? 'Kept' : dryRun ? 'Would delete' : 'Deleted'
    log.info(`${fate} ${key.key}  ${formatBytes(size)}  (${keep ? reasons.join(', ') : 'no rule keeps it'})`)
  }
  const kept = fates.filter(({ keep }) => keep).length
  const deleted = fates.length - kept
  log.info(
    `${dryRun ? 'Dry run: would delete' : 'Deleted'} ${deleted} of ${formatQuantity(fates.length, 'dump')}; not touched: ${describeUntouched(pruned)}`,
  )
  if (pruned.versionsStay) log.notice(VERSIONS_STAY)
}

/** What a prune leaves alone, in words. */
export function describeUntouched({ uncommitted, orphans, foreign }: Pruned): string {
  const counts = [
    formatQuantity(uncommitted, 'dump'),
    formatQuantity(orphans, 'manifest'),
    formatQuantity(foreign, 'foreign object'),
  ]
  return `${counts[0]} without a manifest, ${counts[1]} without a dump and ${counts[2]}`
}

/** What a prune says of a bucket with versions. */
export const VERSIONS_STAY =
  'The bucket keeps versions: no space is free until a lifecycle rule for noncurrent versions (NoncurrentVersionExpiration) removes what was deleted'
