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

export type Choosing = {
  /** Gets the key of the dump that will be chosen if nothing is wrong with it, as soon as it is known. */
  guess?: (key: string) => void
  /**
   * The caller reads the whole dump and compares it with its manifest. The size of a full key is that of the manifest then,
   * because a request to a bucket takes most of a second; `unsoundness` tells why something else arrived.
   */
  readWhole?: boolean
}

/**
 * Finds the dump that a reference names: a full key, leading names, or `latest`. Only a full key reaches a dump that is
 * not committed.
 *
 * @throws an Error when there is none, when databases that share keys cannot be told apart, or when what is stored
 * contradicts its manifest
 */
export async function chooseDump(
  storage: Storage,
  selection: Selection,
  { guess = () => undefined, readWhole = false }: Choosing = {},
): Promise<Chosen> {
  const { reference } = selection
  if (isFullKey(reference)) guess(reference)
  const chosen = await (isFullKey(reference)
    ? byKey(storage, reference, readWhole)
    : newest(storage, selection, guess))
  const problem = contradiction(storage, chosen)
  if (problem) throw new Error(problem)
  return chosen
}

/** Returns what is wrong with the stored bytes of a dump that was chosen to be read whole, or null. */
export async function unsoundness(storage: Storage, chosen: Chosen): Promise<string | null> {
  const size = await storage.size(chosen.key)
  return size === null ? missing(storage, chosen.key) : contradiction(storage, { ...chosen, size })
}

function contradiction(storage: Storage, { key, size, manifest }: Chosen): string | null {
  const address = storage.address(key)
  if (size === 0) return `${address} is empty; it is not a dump`
  if (!manifest || manifest.size === size) return null
  return `${address} is not sound: ${describeSizes(size, manifest)}`
}

function missing(storage: Storage, key: string): string {
  return `There is no dump ${storage.address(key)}`
}

/** Asks for the size and the manifest at once, or only for the manifest if its size is enough. */
async function byKey(storage: Storage, key: string, readWhole: boolean): Promise<Chosen> {
  const reading = readUnlisted(storage, key)
  const sizing = readWhole
    ? reading.then((text) => (text ? undefined : storage.size(key)))
    : storage.size(key)
  const [text, size] = await allOf([reading, sizing])
  if (size === null) throw new Error(missing(storage, key))
  const manifest = text ? manifestOf(key, text) : null
  return { key, size: size ?? manifest!.size, manifest, passedOver: [] }
}

function manifestOf(key: string, text: string): Manifest {
  const parsed = parseDumpKey(key)
  if (!parsed) throw new Error(`${key} has a manifest, but its name is not that of a dump of this action`)
  return readManifest(text, parsed)
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
