import { isDeepStrictEqual } from 'node:util'
import { formatBytes, formatCount } from '../report/format.ts'
import type { Manifest, TableRows } from '../storage/manifest.ts'

/** What a dump holds, as far as two of them can be compared. */
export type Contents = Pick<Manifest, 'rows' | 'rawBytes' | 'tables' | 'filters' | 'compression'>

/** Why two dumps say nothing about each other, or null. */
export function incomparable(before: Contents, now: Contents): string | null {
  if (!isDeepStrictEqual(before.filters, now.filters)) return 'it was made with other filters'
  // What pg_dump compressed itself passed through us uncounted.
  const isCounted = ({ compression }: Contents) => compression !== 'pg_dump'
  return isCounted(before) === isCounted(now) ? null : 'only one of the two was counted'
}

type Measure = { name: 'rows' | 'bytes'; before: number; now: number; format: (count: number) => string }

/** So many tables tell where the rows went. */
const NAMED = 5

/**
 * By how much a dump is smaller than the one before it, in words, with the tables that shrank most.
 *
 * @param limit the share that it may shrink by, from 0 to 1
 * @returns null when neither rows nor bytes shrank by more
 */
export function describeShrinkage(before: Contents, now: Contents, limit: number): string | null {
  const shrunk = measures(before, now).filter((measure) => lossOf(measure) > limit)
  if (shrunk.length === 0) return null
  const sums = shrunk.map(describe).join(' and ')
  const tables = tableLosses(before, now, shrunk[0]!.name)
  const more = tables.length > NAMED ? ` and ${tables.length - NAMED} more tables` : ''
  const named = tables.slice(0, NAMED).join(', ')
  return named === '' ? sums : `${sums}; most of it in ${named}${more}`
}

function measures(before: Contents, now: Contents): Measure[] {
  const bytes = { name: 'bytes', before: before.rawBytes, now: now.rawBytes, format: formatBytes } as const
  if (before.rows === null || now.rows === null) return [bytes]
  const format = (count: number) => `${formatCount(count)} rows`
  return [{ name: 'rows', before: before.rows, now: now.rows, format }, bytes]
}

/** The share that is gone; nothing cannot shrink. */
function lossOf({ before, now }: Measure): number {
  return before > 0 ? 1 - now / before : 0
}

function describe(measure: Measure): string {
  const { before, now, format } = measure
  return `${format(now)} instead of ${format(before)} (-${Math.floor(lossOf(measure) * 100)} %)`
}

/** The tables that have less than before, the greatest loss first. */
function tableLosses(before: Contents, now: Contents, measure: Measure['name']): string[] {
  const name = ({ schema, name }: TableRows) => `${schema}.${name}`
  const format = measure === 'rows' ? formatCount : formatBytes
  const left = new Map(now.tables.map((table) => [name(table), table[measure]]))
  return before.tables
    .map((table) => ({ name: name(table), before: table[measure] ?? 0, now: left.get(name(table)) }))
    .filter((table) => (table.now ?? 0) < table.before)
    .sort((a, b) => b.before - (b.now ?? 0) - (a.before - (a.now ?? 0)))
    .map((table) => {
      const rest = table.now === undefined ? 'gone' : format(table.now ?? 0)
      return `${table.name} (${format(table.before)} → ${rest})`
    })
}
