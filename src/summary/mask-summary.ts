/** Summaries of masks: of a plan, and of a dump that has them. */

import type { MaskPlan } from '../masking/plan.ts'
import { countMasks, describeCounts, describePlan, listCounts } from '../masking/plan-text.ts'
import type { Subset } from '../masking/subset/result.ts'
import { describeSubset, subsetWarnings } from '../masking/subset/subset-text.ts'
import { relationName } from '../relation.ts'
import { formatCount, formatQuantity } from '../report/format.ts'
import type { Manifest } from '../storage/manifest.ts'
import { code, type Fact, folded, join, Markdown, md, table } from './markdown.ts'

/** More rows would make the summary too long for GitHub. The log has them all. */
const MAX_TABLES = 500

/** Shows what a masked dump would contain. */
export function maskPlanSummary(source: string, plan: MaskPlan, subset: Subset | null): Markdown {
  const title = md`### 📋 Masks of ${code(source)} (dry run)`
  return join('\n\n', [
    title,
    md`${code(plan.file)} decides every table and column.`,
    ...maskSummary(plan, subset),
  ])
}

/** Shows which rows stay, and what happens to every table. */
export function maskSummary(plan: MaskPlan, subset: Subset | null): Markdown[] {
  return [...(subset ? [subsetSummary(subset)] : []), planSummary(plan)]
}

/** Shows the tables with fewer rows than the source has, and what a reader must not miss. */
function subsetSummary(subset: Subset): Markdown {
  const tables = describeSubset(subset)
  const rows = tables
    .slice(0, MAX_TABLES)
    .map(({ table: name, before, after, reasons }) => [
      code(name),
      formatCount(before),
      formatCount(after),
      reasons,
    ])
  const total = (field: 'before' | 'after') => tables.reduce((sum, row) => sum + row[field], 0)
  const title = `${formatCount(total('after'))} of ${formatQuantity(total('before'), 'row')} stay in ${formatQuantity(tables.length, 'filtered table')}`
  const warnings = subsetWarnings(subset).map((warning) => md`⚠️ ${warning}`)
  const more = tables.length > MAX_TABLES ? '… and more tables, which are in the log' : ''
  return join('\n\n', [
    folded(title, join('\n\n', [table(['Table', 'Rows', 'Stay', 'Left out'], rows), more])),
    ...warnings,
  ])
}

/** Shows what happens to every table, the masks first, because a reviewer reads those. */
function planSummary(plan: MaskPlan): Markdown {
  const tables = describePlan(plan)
  const rows = [...tables]
    .sort((a, b) => Math.sign(b.masked.length) - Math.sign(a.masked.length))
    .slice(0, MAX_TABLES)
    .map(({ table: name, rows: what, masked, kept }) => [code(name), what, list(masked), list(kept)])
  const title = `${formatQuantity(tables.length, 'table')}, ${countMasks(plan)}`
  const more = tables.length > MAX_TABLES ? '… and more tables, which are in the log' : ''
  return folded(title, join('\n\n', [table(['Table', 'Rows', 'Masked', 'Kept'], rows), more]))
}

/** Says of a masked dump how many columns have each mask, and by which key and file. */
export function maskFact({ mask }: Pick<Manifest, 'mask'>): Fact[] {
  if (!mask) return []
  const { columns, keyId, sha256 } = mask
  return [['Masked', md`${describeCounts(columns)}; key ${code(keyId)}, mask file ${code(sha256)}`]]
}

/** Shows how many columns of each table of a dump have which mask. */
export function masksByTable({ tables }: Pick<Manifest, 'tables'>): Markdown {
  const masked = tables.flatMap(({ masks, ...name }) =>
    masks ? [[code(relationName(name)), listCounts(masks)]] : [],
  )
  if (masked.length === 0) return new Markdown('')
  const more = masked.length > MAX_TABLES ? '… and more tables, which are in the manifest' : ''
  const rows = table(['Table', 'Columns by mask'], masked.slice(0, MAX_TABLES))
  return folded('Masks of every table', join('\n\n', [rows, more]))
}

function list(names: readonly string[]): Markdown {
  return join('<br>', names.map(code))
}
