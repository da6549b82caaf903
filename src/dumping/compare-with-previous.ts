import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '../errors.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { relationKey, relationName } from '../relation.ts'
import { formatBytes, formatCount, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import { type CatalogueEntry, catalogueOf, readDumps, tryManifests } from '../storage/dump-catalog.ts'
import type { Manifest } from '../storage/manifest.ts'
import { groupOf, type Named, seriesOf, sourceOf } from '../storage/series.ts'
import type { Storage, StoredObject } from '../storage/storage.ts'

type ShrinkInputs = Pick<Inputs, 'maxShrink' | 'failOnShrink'>

/**
 * Returns the newest committed dump of a series, with which the next one is compared; null when there is none.
 *
 * @param listed what was in the folder of the series some time ago; null to list it now
 */
export async function findPrevious(
  { maxShrink, failOnShrink }: ShrinkInputs,
  storage: Storage,
  dump: Named,
  listed: readonly StoredObject[] | null,
): Promise<Manifest | null> {
  // No dump shrinks by more than 100 %.
  if (maxShrink >= 1) return null
  const listAndRead = async () => newestOfSeries(storage, dump, await storage.list(groupOf(dump.key)))
  try {
    // What was listed may be gone by now.
    return await (listed ? newestOfSeries(storage, dump, listed).catch(listAndRead) : listAndRead())
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

async function newestOfSeries(
  storage: Storage,
  next: Named,
  objects: readonly StoredObject[],
): Promise<Manifest | null> {
  const scope = seriesOf(next.key)
  const { entries } = catalogueOf(objects, scope.folder)
  const newestIn = (dumps: readonly (Named & { manifest: Manifest })[]) =>
    scope.select([{ ...next, manifest: null }, ...dumps])[0]?.find(({ manifest }) => manifest !== null)
      ?.manifest ?? null
  // Mostly the newest dump of the folder is the one, and the manifests of many need not be read.
  return newestIn(await readNewest(storage, entries)) ?? newestIn(await readDumps(storage, entries))
}

/** Returns the newest committed dump, if it is sound and says which database it is of. */
async function readNewest(
  storage: Storage,
  entries: readonly CatalogueEntry[],
): Promise<(Named & { manifest: Manifest })[]> {
  const newest = entries.find(({ committed }) => committed)
  if (!newest) return []
  const manifest = (await tryManifests(storage, [newest])).get(newest.key.key)!
  if (manifest instanceof Error || manifest.size !== newest.size) return []
  const source = sourceOf(manifest)
  return source ? [{ key: newest.key, source, manifest }] : []
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
export type Contents = Pick<Manifest, 'rows' | 'rawBytes' | 'tables' | 'filters' | 'compression' | 'mask'>

/** Returns why two dumps cannot be compared, or null. */
export function incomparable(before: Contents, now: Contents): string | null {
  if (!isDeepStrictEqual(before.filters, now.filters)) return 'it was made with other filters'
  if (before.mask?.sha256 !== now.mask?.sha256) return 'it was made with another mask file'
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
