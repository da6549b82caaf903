import { formatBytes, formatCount, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import { type DumpKey, dumpOfManifest, dumpsOfGlobals, isBelow, manifestKey, parseDumpKey } from './keys.ts'
import { MAX_MANIFEST_BYTES, type Manifest, parseManifest } from './manifest.ts'
import { type Source, sourceOf } from './series.ts'
import type { Storage, StoredObject } from './storage.ts'

/**
 * A dump in storage. Without a manifest it is not committed: another tool wrote it, or a run died over it. Nor is it with an
 * empty manifest, which only claims the name in a folder without hard links.
 */
export type CatalogueEntry = {
  key: DumpKey
  size: number
  committed: boolean
  /** Stored bytes of the manifest; 0 without one. */
  manifestSize: number
}

export type Catalogue = {
  /** Newest first, by the time in the key. */
  entries: CatalogueEntry[]
  /** Manifests whose data is gone: a run died, or another program deleted the data. */
  orphans: DumpKey[]
  /** Keys of roles whose dump is gone. */
  strayGlobals: string[]
  /** How many objects are none of these. */
  foreign: number
}

/** Reads the catalogue of what is below a prefix of whole key parts. */
export async function readCatalogue(storage: Storage, prefix: string): Promise<Catalogue> {
  return catalogueOf(await storage.list(prefix), prefix)
}

/** Returns the catalogue of objects that were listed below a prefix. */
export function catalogueOf(objects: readonly StoredObject[], prefix: string): Catalogue {
  const sizes = new Map(objects.map(({ key, size }) => [key, size]))
  const keys = objects.map(({ key }) => parseDumpKey(key)).filter((key) => key !== null)
  const entries = keys
    .filter(({ key }) => isBelow(key, prefix))
    .map((key) => {
      const manifestSize = sizes.get(manifestKey(key.key)) ?? 0
      return { key, size: sizes.get(key.key)!, committed: manifestSize > 0, manifestSize }
    })
    .sort((a, b) => (a.key.createdAt < b.key.createdAt ? 1 : -1))
  const orphans = objects
    .map(({ key }) => dumpOfManifest(key))
    .filter((dump) => dump !== null)
    .filter(({ key }) => !sizes.has(key))
  const committed = entries.filter((entry) => entry.committed).length
  const globals = objects.filter(({ key }) => dumpsOfGlobals(key).length > 0)
  const strayGlobals = globals
    .filter(({ key }) => !dumpsOfGlobals(key).some((dump) => sizes.has(dump.key)))
    .map(({ key }) => key)
  const known = entries.length + committed + orphans.length + globals.length
  return { entries, orphans, strayGlobals, foreign: objects.length - known }
}

/** Reads the manifests of committed dumps, by key of the dump. */
export async function readManifests(
  storage: Storage,
  entries: readonly CatalogueEntry[],
): Promise<Map<string, Manifest>> {
  const committed = entries.filter((entry) => entry.committed)
  for (const { key, manifestSize } of committed) checkManifestSize(key.key, manifestSize)
  const texts = await storage.readTexts(committed.map(({ key }) => manifestKey(key.key)))
  return new Map(
    committed.map(({ key }) => [key.key, readManifest(texts.get(manifestKey(key.key)), key)] as const),
  )
}

/** As `readManifests`, with the error in the place of each manifest that cannot be read. */
export async function tryManifests(
  storage: Storage,
  entries: readonly CatalogueEntry[],
): Promise<Map<string, Manifest | Error>> {
  const committed = entries.filter((entry) => entry.committed)
  const keys = committed
    .filter(({ manifestSize }) => manifestSize <= MAX_MANIFEST_BYTES)
    .map(({ key }) => manifestKey(key.key))
  // One object that nobody may read fails the reading of all.
  const texts = await storage.readTexts(keys).catch(() => readOneByOne(storage, keys))
  const read = ({ key, manifestSize }: CatalogueEntry) => {
    const text = texts.get(manifestKey(key.key))
    try {
      checkManifestSize(key.key, manifestSize)
      if (text instanceof Error) throw text
      return readManifest(text, key)
    } catch (error) {
      return error as Error
    }
  }
  return new Map(committed.map((entry) => [entry.key.key, read(entry)] as const))
}

/** A committed dump with its manifest. */
export type StoredDump = { key: DumpKey; size: number; manifest: Manifest; source: Source | undefined }

/**
 * Reads the committed dumps of a folder. Those whose data has another size than the manifest says are skipped.
 *
 * @throws an Error when the newest of the others has a manifest that cannot be read
 */
export async function readDumps(storage: Storage, entries: readonly CatalogueEntry[]): Promise<StoredDump[]> {
  const manifests = await tryManifests(storage, entries)
  const dumps: StoredDump[] = []
  for (const { key, size } of entries.filter(({ committed }) => committed)) {
    const manifest = manifests.get(key.key)!
    if (manifest instanceof Error) {
      if (dumps.length === 0) throw manifest
    } else if (manifest.size === size) {
      dumps.push({ key, size, manifest, source: sourceOf(manifest) })
    } else {
      log.warning(`Skipped ${key.key}: ${describeSizes(size, manifest)}`)
    }
  }
  return dumps
}

/** Describes a dump that contradicts its manifest. */
export function describeSizes(size: number, manifest: Manifest): string {
  return `it has ${formatQuantity(size, 'byte')} and its manifest says ${formatCount(manifest.size)}; it was cut or replaced`
}

/** Names manifests that are skipped because their data is gone. */
export function noteOrphans(orphans: readonly DumpKey[]): void {
  for (const { key } of orphans)
    log.notice(
      `Skipped ${manifestKey(key)}: its data is gone. A run was killed while it committed or deleted the dump, or another program deleted the data; delete the manifest`,
    )
}

/** Refuses a manifest by its size, before it is read. */
export function checkManifestSize(key: string, size: number): void {
  if (size > MAX_MANIFEST_BYTES)
    throw new Error(
      `The manifest of ${key} has ${formatBytes(size)}; this action writes none of more than ${formatBytes(MAX_MANIFEST_BYTES)}, so another program wrote it`,
    )
}

/** @throws when nothing at all can be read: then it is the place that does not answer */
async function readOneByOne(
  storage: Storage,
  keys: readonly string[],
): Promise<Map<string, string | Error | undefined>> {
  const texts = new Map<string, string | Error | undefined>()
  for (const key of keys) {
    const text = await storage.readTexts([key]).then(
      (found) => found.get(key),
      (error: Error) => error,
    )
    texts.set(key, text)
  }
  const failures = [...texts.values()].filter((text) => text instanceof Error)
  if (failures.length === keys.length) throw failures[0]
  return texts
}

/** Reads a manifest that was listed. */
export function readManifest(text: string | undefined, key: DumpKey): Manifest {
  if (text === undefined) throw new Error(`The manifest of ${key.key} was listed and could not be read`)
  return parseManifest(text, key)
}
