/** Summaries of what is done with many stored dumps: listed, pruned. */

import { listCounts } from '../masking/plan-text.ts'
import { formatBytes, formatCount, formatQuantity } from '../report/format.ts'
import type { ListedDump } from '../storage/list-dumps.ts'
import { describeUntouched, type Pruned, VERSIONS_STAY } from '../storage/prune-dumps.ts'
import { type Content, code, join, type Markdown, md, moment, table } from './markdown.ts'

/** Longer lists are not read. */
const MAX_LISTED_DUMPS = 50

/** The stored dumps, newest first. */
export function listSummary(dumps: readonly ListedDump[], where: string): Markdown {
  const rows = dumps.slice(0, MAX_LISTED_DUMPS).map((dump): Content[] => {
    const { rows = null, verified = null, mask = null } = 'sha256' in dump ? dump : {}
    return [
      code(dump.key),
      formatBytes(dump.size),
      rows === null ? '' : formatCount(rows),
      dump.committed ? 'yes' : md`**no**`,
      mask ? listCounts(mask.columns) || 'no columns' : '',
      verified ? moment(verified.at) : '',
    ]
  })
  const listing =
    dumps.length === 0 ? 'None.' : table(['Key', '>Size', '>Rows', 'Committed', 'Masked', 'Verified'], rows)
  const title = md`### ${formatQuantity(dumps.length, 'dump')} in ${code(where)}`
  return join('\n\n', [title, listing, older(dumps.length - MAX_LISTED_DUMPS, '')])
}

/** The space that a prune frees, in words. */
function describeRoom({ fates, dryRun, versionsStay }: Pruned): string {
  const deleted = fates.filter(({ keep }) => !keep)
  if (deleted.length === 0) return ''
  if (versionsStay) return `${VERSIONS_STAY}. `
  const bytes = formatBytes(deleted.reduce((sum, { size }) => sum + size, 0))
  return `${dryRun ? 'That would free' : 'That freed'} ${bytes}. `
}

/** A quarter of the megabyte that GitHub takes. */
const MAX_FATES = 1000

/** Every dump with its fate and the rules that decided it. */
export function pruneSummary(pruned: Pruned, where: string): Markdown {
  const { fates, dryRun } = pruned
  const deleted = fates.filter(({ keep }) => !keep).length
  const rows = fates.slice(0, MAX_FATES).map(({ key, size, keep, reasons }): Content[] => {
    const fate = keep ? 'kept' : dryRun ? 'would be deleted' : md`**deleted**`
    const why = keep ? join(', ', reasons.map(code)) : 'no rule keeps it'
    return [code(key.key), formatBytes(size), fate, why]
  })
  const listing = rows.length === 0 ? 'No committed dumps.' : table(['Key', '>Size', 'Fate', 'Why'], rows)
  const verb = dryRun ? 'Dry run: would delete' : '✅ Deleted'
  const title = md`### ${verb} ${deleted} of ${formatQuantity(fates.length, 'dump')} in ${code(where)}`
  const more = older(fates.length - MAX_FATES, ', which are in the log')
  const rest = md`${describeRoom(pruned)} Left alone: ${describeUntouched(pruned)}.`
  return join('\n\n', [title, listing, more, rest])
}

function older(count: number, where: string): string {
  return count > 0 ? `… and ${formatCount(count)} older ${count === 1 ? 'one' : 'ones'}${where}.` : ''
}
