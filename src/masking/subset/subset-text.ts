import { formatBytes, formatCount, formatNames, formatQuantity } from '../../report/format.ts'
import { tableText } from '../names.ts'
import type { FilteredTable, Subset } from './result.ts'

/** One table of a subset, in words. */
export type SubsetText = { table: string; before: number; after: number; reasons: string }

/** Describes the tables of which rows are left out, for the log and the summary. */
export function describeSubset({ filtered }: Subset): SubsetText[] {
  return filtered.map((table) => ({
    table: tableText(table),
    before: table.before,
    after: table.after,
    reasons: reasonsOf(table).join(', '),
  }))
}

function reasonsOf({ condition, reference, unreferenced, targets }: FilteredTable): string[] {
  const reasons: [count: number, text: string][] = [
    [condition, 'do not meet its condition'],
    [reference, `refer to rows of ${formatNames(targets, 5)} that are left out`],
    [unreferenced, 'have no reference from a row that stays'],
  ]
  return reasons.flatMap(([count, text]) => (count > 0 ? `${formatCount(count)} ${text}` : []))
}

/** Returns the lines of a subset for the log. */
export function subsetLines(subset: Subset): string[] {
  const tables = describeSubset(subset).map(({ table, before, after, reasons }) => {
    const stays = `${table}: ${formatCount(after)} of ${formatQuantity(before, 'row')} stay`
    return reasons === '' ? stays : `${stays}; ${reasons}`
  })
  const whole = subset.whole.map(
    (table) =>
      `${tableText(table)}: stays whole (${formatBytes(table.bytes)}), because it refers to nothing that is restricted`,
  )
  return [...tables, ...whole]
}

/** Returns what a reader of the plan must not miss. */
export function subsetWarnings(subset: Subset): string[] {
  const { filtered, whole, dangling } = subset
  const kept = filtered.map((table) => (table.bytes * table.after) / Math.max(table.before, 1))
  const total = [...kept, ...whole.map(({ bytes }) => bytes)].reduce((sum, bytes) => sum + bytes, 0)
  const largest = whole.find(({ bytes }) => bytes > total - bytes)
  const emptied = filtered.filter(({ before, after }) => before > 0 && after === 0)
  return [
    ...(largest
      ? [
          `${tableText(largest)} stays whole and is larger (${formatBytes(largest.bytes)}) than everything else in the dump together, because it refers to nothing that is restricted; give it "rows"`,
        ]
      : []),
    ...emptied.map((table) => `no row of ${tableText(table)} stays: ${reasonsOf(table).join(', ')}`),
    ...dangling.map(
      ({ link, rows }) =>
        `${link}, but in ${formatQuantity(rows, 'row')} that ${rows === 1 ? 'stays' : 'stay'}, to a row that the source does not have`,
    ),
  ]
}
