/** Summaries of what is done with many stored dumps: listed, pruned. */
import { formatBytes, formatCount, formatQuantity } from '../report/format.ts'
import type { DumpKey } from '../storage/keys.ts'
import type { Manifest } from '../storage/manifest.ts'
import { code, moment, table } from './markdown.ts'

/** A stored dump as `list` shows it: its manifest, or for one that is not committed what its key tells. */
export type ListedDump = (
  | Manifest
  | Pick<Manifest, 'key' | 'createdAt' | 'instance' | 'database' | 'config' | 'size'>
) & {
  committed: boolean
}

/** What became of a committed dump, and why. */
export type Fate = { key: DumpKey; size: number; keep: boolean; reasons: readonly string[] }

/** What a prune did, or with `dryRun` would do. The other numbers are of what it does not touch. */
export type Pruned = {
  /** Newest first. */
  fates: readonly Fate[]
  uncommitted: number
  orphans: number
  foreign: number
  dryRun: boolean
  /** The bucket keeps versions, so that no space is free yet. */
  versionsStay: boolean
}

/** So many rows fit into a summary that is still read. */
const LISTED = 50

/** The stored dumps, newest first. */
export function listSummary(dumps: readonly ListedDump[], where: string): string {
  const rows = dumps.slice(0, LISTED).map((dump) => {
    const { rows = null, verified = null } = 'sha256' in dump ? dump : {}
    return [
      code(dump.key),
      formatBytes(dump.size),
      rows === null ? '' : formatCount(rows),
      dump.committed ? 'yes' : '**no**',
      verified ? moment(verified.at) : '',
    ]
  })
  const more = dumps.length > LISTED ? `\n\n… and ${dumps.length - LISTED} older ones.` : ''
  const listing =
    dumps.length === 0 ? 'None.' : table(['Key', '>Size', '>Rows', 'Committed', 'Verified'], rows)
  return `### ${formatQuantity(dumps.length, 'dump')} in ${code(where)}\n\n${listing}${more}`
}

/** What a prune leaves alone, in words. */
export function describeUntouched({ uncommitted, orphans, foreign }: Pruned): string {
  const counts = [uncommitted, orphans, foreign].map(formatCount)
  return `${counts[0]} dumps without a manifest, ${counts[1]} manifests without a dump and ${counts[2]} foreign objects`
}

/** What a prune says of a bucket with versions. */
export const VERSIONS_STAY =
  'The bucket keeps versions: no space is free until a lifecycle rule for noncurrent versions (NoncurrentVersionExpiration) removes what was deleted'

/** The space that a prune frees, in words. */
function describeRoom({ fates, dryRun, versionsStay }: Pruned): string {
  const deleted = fates.filter(({ keep }) => !keep)
  if (deleted.length === 0) return ''
  if (versionsStay) return `${VERSIONS_STAY}. `
  const bytes = formatBytes(deleted.reduce((sum, { size }) => sum + size, 0))
  return `${dryRun ? 'That would free' : 'That freed'} ${bytes}. `
}

/** GitHub takes a megabyte of summary; so many rows are a quarter of it. */
const JUDGED = 1000

/** Every dump with its fate and the rules that decided it. */
export function pruneSummary(pruned: Pruned, where: string): string {
  const { fates, dryRun } = pruned
  const deleted = fates.filter(({ keep }) => !keep).length
  const rows = fates.slice(0, JUDGED).map(({ key, size, keep, reasons }) => {
    const fate = keep ? 'kept' : dryRun ? 'would be deleted' : '**deleted**'
    return [code(key.key), formatBytes(size), fate, keep ? reasons.map(code).join(', ') : 'no rule keeps it']
  })
  const listing = rows.length === 0 ? 'No committed dumps.' : table(['Key', '>Size', 'Fate', 'Why'], rows)
  const more =
    fates.length > JUDGED ? `\n\n… and ${fates.length - JUDGED} older ones, which are in the log.` : ''
  const verb = dryRun ? 'Dry run: would delete' : '✅ Deleted'
  const title = `### ${verb} ${deleted} of ${fates.length} dumps in ${code(where)}`
  return `${title}\n\n${listing}${more}\n\n${describeRoom(pruned)}Left alone: ${describeUntouched(pruned)}.`
}
