import { formatBytes } from '../report/format.ts'
import { type DumpKey, isBelow, isFullKey, isManifestKey, manifestKey, parseDumpKey } from './keys.ts'
import { MAX_MANIFEST_BYTES, type Manifest, parseManifest } from './manifest.ts'
import type { Storage } from './storage.ts'

/** A dump in storage. Without a manifest it is not committed: another tool wrote it, or a run died over it. */
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
  /** Manifests whose dump is gone. Nothing of ours leaves such a thing behind, so something is wrong. */
  orphans: DumpKey[]
  /** How many objects are neither a dump nor a manifest. */
  foreign: number
}

/** What lies below a prefix of whole key parts; things that are no dumps are none of our business. */
export async function readCatalogue(storage: Storage, prefix: string): Promise<Catalogue> {
  const objects = await storage.list(prefix)
  const sizes = new Map(objects.map(({ key, size }) => [key, size]))
  const keys = objects.map(({ key }) => parseDumpKey(key)).filter((key) => key !== null)
  const entries = keys
    .filter(({ key }) => isBelow(key, prefix))
    .map((key) => {
      const manifestSize = sizes.get(manifestKey(key.key))
      const committed = manifestSize !== undefined
      return { key, size: sizes.get(key.key)!, committed, manifestSize: manifestSize ?? 0 }
    })
    .sort((a, b) => (a.key.createdAt < b.key.createdAt ? 1 : -1))
  const orphans = objects
    .filter(({ key }) => isManifestKey(key) && !sizes.has(key.slice(0, -'.json'.length)))
    .map(({ key }) => parseDumpKey(key.slice(0, -'.json'.length)))
    .filter((key) => key !== null)
  const committed = entries.filter((entry) => entry.committed).length
  return { entries, orphans, foreign: objects.length - entries.length - committed - orphans.length }
}

/** The manifests of committed dumps, by key of the dump. */
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

/** Before it is read: what lies in a store may be of any size. */
function checkManifestSize(key: string, size: number): void {
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

function readManifest(text: string | undefined, key: DumpKey): Manifest {
  if (text === undefined) throw new Error(`The manifest of ${key.key} was listed and could not be read`)
  return parseManifest(text, key)
}

/** A dump to read: what it should be, when it is committed, and how many bytes storage says that it has. */
export type Chosen = { key: string; size: number; manifest: Manifest | null; passedOver: string[] }

/** Narrows the choice of `latest` and of a prefix; empty is no narrowing. */
export type Narrowing = { instance: string; config: string }

/** Whether a key fits the inputs `instance` and `config`, where they are given. */
export function isWanted(key: DumpKey, { instance, config }: Narrowing): boolean {
  return (instance === '' || key.instance === instance) && (config === '' || key.config === config)
}

/**
 * Finds the dump that a reference names: a full key, the leading parts of keys, or `latest`. Only a full key reaches a
 * dump that is not committed.
 *
 * @throws an Error when there is none, or when what is stored contradicts its manifest
 */
export async function chooseDump(storage: Storage, reference: string, narrowing: Narrowing): Promise<Chosen> {
  const chosen = isFullKey(reference)
    ? await byKey(storage, reference)
    : await newest(storage, reference, narrowing)
  if (chosen.size === 0) throw new Error(`${storage.address(chosen.key)} is empty; it is no dump`)
  if (chosen.manifest && chosen.manifest.size !== chosen.size) {
    throw new Error(
      `${storage.address(chosen.key)} has ${chosen.size} bytes and its manifest says ${chosen.manifest.size}; it was cut or replaced`,
    )
  }
  return chosen
}

async function byKey(storage: Storage, key: string): Promise<Chosen> {
  const [size, manifestSize] = await Promise.all([storage.size(key), storage.size(manifestKey(key))])
  if (size === null) throw new Error(`There is no dump ${storage.address(key)}`)
  if (manifestSize === null) return { key, size, manifest: null, passedOver: [] }
  const parsed = parseDumpKey(key)
  if (!parsed) throw new Error(`${key} has a manifest and its name is none of ours`)
  checkManifestSize(key, manifestSize)
  const texts = await storage.readTexts([manifestKey(key)])
  return { key, size, manifest: readManifest(texts.get(manifestKey(key))!, parsed), passedOver: [] }
}

async function newest(storage: Storage, reference: string, narrowing: Narrowing): Promise<Chosen> {
  const prefix = reference === 'latest' ? '' : reference
  const { entries, orphans } = await readCatalogue(storage, prefix)
  const fits = (key: DumpKey) => isWanted(key, narrowing)
  const committed = entries.filter((entry) => entry.committed && fits(entry.key))
  const found = committed[0]
  if (!found) throw new Error(nothingFound(storage, prefix, entries.length))
  const newerOrphan = orphans.find((key) => fits(key) && key.createdAt > found.key.createdAt)
  if (newerOrphan) {
    throw new Error(
      `The newest dump, ${newerOrphan.key}, has its manifest and its data is gone; name another dump by its full key`,
    )
  }
  const family = ({ key }: CatalogueEntry) => `${key.instance}/${key.database}/${key.config}`
  const passedOver = [...new Set(committed.map(family))].filter((name) => name !== family(found))
  const manifests = await readManifests(storage, [found])
  return { key: found.key.key, size: found.size, manifest: manifests.get(found.key.key)!, passedOver }
}

function nothingFound(storage: Storage, prefix: string, others: number): string {
  const reason =
    others > 0 ? ` (${others} dumps there are not committed, or of another instance or config)` : ''
  return `There is no committed dump below ${storage.address(prefix)}${reason}`
}
