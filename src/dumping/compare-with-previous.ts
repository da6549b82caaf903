import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '../errors.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { relationKey, relationName } from '../relation.ts'
import { formatBytes, formatCount, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import { readCatalogue, readDumps } from '../storage/dump-catalog.ts'
import type { Manifest } from '../storage/manifest.ts'
import { type Named, seriesOf } from '../storage/series.ts'
import type { Storage } from '../storage/storage.ts'

type ShrinkInputs = Pick<Inputs, 'maxShrink' | 'failOnShrink'>

/** Returns the newest committed dump of a series, with which the next one is compared; null when there is none. */
export async function findPrevious(
  { maxShrink, failOnShrink }: ShrinkInputs,
  storage: Storage,
  dump: Named,
): Promise<Manifest | null> {
  // No dump shrinks by more than 100 %.
  if (maxShrink >= 1) return null
  try {
    return await newestOfSeries(storage, dump)
  } catch (error) {
    const reason = messageOf(error)
    if (failOnShrink) {
      throw new Error(
        `fail-on-shrink compares with the previous dump, which cannot be read: ${reason}. Make it readable or delete it, or set fail-on-shrink: false`,
        { cause: error },
      )
    }
    log.warning(`The dump is not compared with the previous one (max-shrink): ${reason}`)
    return null
  }
}

async function newestOfSeries(storage: Storage, next: Named): Promise<Manifest | null> {
  const scope = seriesOf(next.key)
  const { entries } = await readCatalogue(storage, scope.folder)
  const stored = await readDumps(storage, entries)
  const [series = []] = scope.select([{ ...next, manifest: null }, ...stored])
  return series.find(({ manifest }) => manifest !== null)?.manifest ?? null
}

/**
 * Compares a dump with the previous one, and warns or fails when it is much smaller.
 *
 * @returns the previous dump if the two can be compared, otherwise null
 */
export function compareWithPrevious(
  { maxShrink, failOnShrink }: ShrinkInputs,
  previous: Manifest | null,
  manifest: Manifest,
): Manifest | null {
  if (!previous) return null
  const obstacle = incomparable(previous, manifest)
  if (obstacle) {
    log.notice(`The dump is not compared with ${previous.key} (max-shrink): ${obstacle}`)
    return null
  }
  const shrinkage = describeShrinkage(previous, manifest, maxShrink)
  if (!shrinkage) return previous
  const percent = Number((maxShrink * 100).toFixed(3))
  const text = `The dump is much smaller than ${previous.key}: ${shrinkage} (max-shrink is ${percent}%)`
  if (failOnShrink)
    throw new Error(`${text}; it was not committed. If this is expected, raise max-shrink for one run`)
  log.warning(text)
  return previous
}

/** The fields of a manifest by which two dumps are compared. */
export type Contents = Pick<Manifest, 'rows' | 'rawBytes' | 'tables' | 'filters' | 'compression'>

/** Returns why two dumps cannot be compared, or null. */
export function incomparable(before: Contents, now: Contents): string | null {
  if (!isDeepStrictEqual(before.filters, now.filters)) return 'it was made with other filters'
  // An archive that pg_dump compressed itself is stored uncounted.
  const isCounted = ({ compression }: Contents) => compression !== 'pg_dump'
  return isCounted(before) === isCounted(now) ? null : 'only one of the two was counted'
}

type Measure = { name: 'rows' | 'bytes'; before: number; now: number; format: (count: number) => string }

const MAX_NAMED_TABLES = 5

/**
 * Describes by how much a dump is smaller than the previous one, with the tables that shrank most.
 *
 * @param limit the share that it may shrink by, from 0 to 1
 * @returns null when neither rows nor bytes shrank by more
 */
export function describeShrinkage(before: Contents, now: Contents, limit: number): string | null {
  const shrunk = measures(before, now).filter((measure) => lossOf(measure) > limit)
  if (shrunk.length === 0) return null
  const sums = shrunk.map(describe).join(' and ')
  const tables = tableLosses(before, now, shrunk[0]!.name)
  const others = tables.length - MAX_NAMED_TABLES
  const more = others > 0 ? ` and ${formatQuantity(others, 'more table')}` : ''
  const named = tables.slice(0, MAX_NAMED_TABLES).join(', ')
  return named === '' ? sums : `${sums}; most of it in ${named}${more}`
}

function measures(before: Contents, now: Contents): Measure[] {
  const bytes = { name: 'bytes', before: before.rawBytes, now: now.rawBytes, format: formatBytes } as const
  if (before.rows === null || now.rows === null) return [bytes]
  const format = (count: number) => formatQuantity(count, 'row')
  return [{ name: 'rows', before: before.rows, now: now.rows, format }, bytes]
}

/** Returns the share that is gone. Something empty cannot shrink. */
function lossOf({ before, now }: Measure): number {
  return before > 0 ? 1 - now / before : 0
}

function describe(measure: Measure): string {
  const { before, now, format } = measure
  return `${format(now)} instead of ${format(before)} (-${Math.floor(lossOf(measure) * 100)} %)`
}

/** Lists the tables that have less than before, the greatest loss first. */
function tableLosses(before: Contents, now: Contents, measure: Measure['name']): string[] {
  const format = measure === 'rows' ? formatCount : formatBytes
  const left = new Map(now.tables.map((table) => [relationKey(table), table[measure]]))
  return before.tables
    .map((table) => ({
      name: relationName(table),
      before: table[measure] ?? 0,
      now: left.get(relationKey(table)),
    }))
    .filter((table) => (table.now ?? 0) < table.before)
    .sort((a, b) => b.before - (b.now ?? 0) - (a.before - (a.now ?? 0)))
    .map((table) => {
      const rest = table.now === undefined ? 'gone' : format(table.now ?? 0)
      return `${table.name} (${format(table.before)} → ${rest})`
    })
}
