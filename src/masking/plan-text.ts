import { formatQuantity } from '../report/format.ts'
import { maskText } from './draft.ts'
import { columnText, tableText } from './names.ts'
import type { MaskPlan, PlannedColumn, PlannedTable } from './plan.ts'
import type { Rows } from './rules.ts'

/** One table of a plan, in words. */
export type TableText = {
  table: string
  /** What happens to its rows, such as `keep` or `rows where …`. */
  rows: string
  kept: readonly string[]
  /** Each column with its mask and the reason if another column gives it. */
  masked: readonly string[]
  /** The CHECK constraints that read a masked column. */
  checks: readonly string[]
}

/** Describes a plan, table by table, for the log and the summary. */
export function describePlan({ tables }: MaskPlan): TableText[] {
  return tables.map((table) => ({
    table: tableText(table) + (table.extension ? ` (configuration of ${table.extension})` : ''),
    rows: describeRows(table),
    ...describeColumns(table),
    checks: describeChecks(table),
  }))
}

/** Returns the lines of a plan for the log. */
export function planLines(plan: MaskPlan): string[] {
  const tables = describePlan(plan).flatMap(({ table, rows, kept, masked, checks }) => [
    `${table}: ${rows}`,
    ...(kept.length > 0 && masked.length > 0 ? [`  keep ${kept.join(', ')}`] : []),
    ...masked.map((column) => `  ${column}`),
    ...checks.map((check) => `  CHECK ${check}; a restore shows whether the masks satisfy it`),
  ])
  const largeObjects = plan.keepsLargeObjects ? 'kept as they are' : 'left out'
  return [...tables, `large objects: ${largeObjects}`, countMasks(plan)]
}

function describeRows({ data, rows, unless, parts }: PlannedTable): string {
  if (data === 'none') return 'no rows'
  const known = parts.map((part) => part.rows)
  const estimate = known.some((count) => count === null) ? '' : `, about ${formatQuantity(sum(known), 'row')}`
  if (data === 'keep') return `kept as it is${estimate}`
  const exception = unless ? `, not masked where ${unless.condition}` : ''
  return conditionOf(rows) + exception + estimate
}

function conditionOf(rows: Rows): string {
  if (typeof rows === 'object') return `rows where ${rows.condition}`
  return rows === 'referenced' ? 'rows that kept rows refer to' : 'all rows'
}

function sum(counts: readonly (number | null)[]): number {
  return counts.reduce<number>((total, count) => total + (count ?? 0), 0)
}

function describeColumns({ data, columns }: PlannedTable): Pick<TableText, 'kept' | 'masked'> {
  if (data !== 'masked') return { kept: [], masked: [] }
  const kept = columns.filter(({ treatment }) => treatment === 'keep')
  const masked = columns.filter(({ treatment }) => treatment !== 'keep')
  return { kept: kept.map(({ name }) => columnText(name)), masked: masked.map(describeColumn) }
}

function describeColumn({ name, treatment, because }: PlannedColumn): string {
  const mask = typeof treatment === 'string' ? 'computed again from what is restored' : maskText(treatment)
  return `${columnText(name)}: ${mask}${because === null ? '' : ` (${because})`}`
}

/** Whether masks satisfy an expression, only the server can say, and only for rows that exist. */
function describeChecks({ columns, parts }: PlannedTable): string[] {
  const masked = columns.filter(({ treatment }) => typeof treatment === 'object').map(({ name }) => name)
  const checks = parts
    .flatMap((part) => part.checks)
    .map((check) => {
      const read = check.columns.filter((name) => masked.includes(name))
      return read.length > 0 ? `${columnText(check.name)} reads ${read.map(columnText).join(', ')}` : ''
    })
  return [...new Set(checks.filter(Boolean))]
}

/** How many columns have each mask. */
type MaskCounts = Readonly<Record<string, number>>

/** Returns how many columns have each mask, for the manifest and the summary. */
export function maskCounts({
  tables,
}: {
  tables: readonly Pick<PlannedTable, 'columns'>[]
}): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { treatment } of tables.flatMap(({ columns }) => columns)) {
    if (typeof treatment === 'object') counts[treatment.mask] = (counts[treatment.mask] ?? 0) + 1
  }
  return counts
}

/** Returns how many columns are masked, and with which masks. */
export function countMasks(plan: MaskPlan): string {
  return describeCounts(maskCounts(plan))
}

/** Describes how many columns have each mask, in words. */
export function describeCounts(counts: MaskCounts): string {
  const total = sum(Object.values(counts))
  const list = listCounts(counts)
  return `${formatQuantity(total, 'column')} masked${list && `: ${list}`}`
}

/** Lists how many columns have each mask. */
export function listCounts(counts: MaskCounts): string {
  return Object.entries(counts)
    .map(([mask, count]) => `${count} ${mask}`)
    .join(', ')
}
