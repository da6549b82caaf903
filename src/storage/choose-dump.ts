import { allOf } from '../all-of.ts'
import {
  checkManifestSize,
  describeSizes,
  noteOrphans,
  readCatalogue,
  readDumps,
  readManifest,
  type StoredDump,
} from './dump-catalog.ts'
import { isFullKey, manifestKey, parseDumpKey } from './keys.ts'
import { MAX_MANIFEST_BYTES, type Manifest } from './manifest.ts'
import { groupBySeries, groupOf, nameSeries, type Selection, scopeOf } from './series.ts'
import type { Storage } from './storage.ts'

/** A dump to read, its manifest if it is committed, and how many bytes storage says that it has. */
export type Chosen = {
  key: string
  size: number
  manifest: Manifest | null
  /** The other folders that the reference covers. */
  passedOver: string[]
}

/**
 * Finds the dump that a reference names: a full key, leading names, or `latest`. Only a full key reaches a dump that is
 * not committed.
 *
 * @param guess gets the key of the dump that will be chosen if nothing is wrong with it, as soon as it is known
 * @throws an Error when there is none, when databases that share keys cannot be told apart, or when what is stored
 * contradicts its manifest
 */
export async function chooseDump(
  storage: Storage,
  selection: Selection,
  guess: (key: string) => void = () => undefined,
): Promise<Chosen> {
  const { reference } = selection
  if (isFullKey(reference)) guess(reference)
  const chosen = await (isFullKey(reference) ? byKey(storage, reference) : newest(storage, selection, guess))
  if (chosen.size === 0) throw new Error(`${storage.address(chosen.key)} is empty; it is not a dump`)
  if (chosen.manifest && chosen.manifest.size !== chosen.size) {
    throw new Error(
      `${storage.address(chosen.key)} is not sound: ${describeSizes(chosen.size, chosen.manifest)}`,
    )
  }
  return chosen
}

/** Asks for the size and the manifest at once, because each request to a bucket takes most of a second. */
async function byKey(storage: Storage, key: string): Promise<Chosen> {
  const [size, text] = await allOf([storage.size(key), readUnlisted(storage, key)])
  if (size === null) throw new Error(`There is no dump ${storage.address(key)}`)
  if (!text) return { key, size, manifest: null, passedOver: [] }
  const parsed = parseDumpKey(key)
  if (!parsed) throw new Error(`${key} has a manifest, but its name is not that of a dump of this action`)
  return { key, size, manifest: readManifest(text, parsed), passedOver: [] }
}

/** Reads a manifest whose size is not known, but not one that no dump of this action has. */
async function readUnlisted(storage: Storage, key: string): Promise<string | undefined> {
  const bytes = await storage.readBeginning(manifestKey(key), MAX_MANIFEST_BYTES + 1)
  if (bytes && bytes.length > MAX_MANIFEST_BYTES)
    checkManifestSize(key, (await storage.size(manifestKey(key))) ?? bytes.length)
  return bytes?.toString('utf8')
}

/** Chooses folder by folder, because only the manifests of one folder must be read to tell its databases apart. */
async function newest(storage: Storage, selection: Selection, guess: (key: string) => void): Promise<Chosen> {
  const { folder: top, mayFit, select } = scopeOf(selection)
  const { entries, orphans } = await readCatalogue(storage, top)
  const possible = entries.filter(({ key, committed }) => committed && mayFit(key))
  if (possible[0]) guess(possible[0].key.key)
  const folders = Map.groupBy(possible, ({ key }) => groupOf(key))
  const others = new Set<string>()
  for (const [folder, inFolder] of folders) {
    const dumps = await readDumps(storage, inFolder)
    const series = select(dumps)
    if (series.length > 1) throw new Error(ambiguous(selection, folder, series))
    const found = series[0]?.[0]
    if (!found) {
      for (const name of nameSeries(groupBySeries(dumps))) others.add(name)
      continue
    }
    noteOrphans(orphans.filter((key) => mayFit(key) && key.createdAt > found.key.createdAt))
    const passedOver = [...folders.keys()].filter((name) => name !== folder)
    return { key: found.key.key, size: found.size, manifest: found.manifest, passedOver }
  }
  noteOrphans(orphans.filter(mayFit))
  throw new Error(nothingFound(selection, storage.address(top), [...others], entries.length))
}

function ambiguous({ reference }: Selection, folder: string, series: readonly StoredDump[][]): string {
  const names = nameSeries(series)
  const each = series.map(([dump], index) => `${names[index]} (newest ${dump!.key.key})`)
  return `"${reference}" covers several databases whose dumps share the keys ${folder}: ${each.join(', ')}. Set dump-key to one of these names or to a full key`
}

function nothingFound(
  { reference }: Selection,
  where: string,
  others: readonly string[],
  count: number,
): string {
  if (others.length > 0)
    return `There is no committed dump of "${reference}": the keys below ${where} belong to ${others.slice(0, 5).join(', ')}. Set dump-key to one of these names, check instance and config, or name a dump by its full key`
  const reason =
    count > 0 ? ` (${count} dumps there are not committed, or of another instance or config)` : ''
  return `There is no committed dump below ${where}${reason}`
}
