import { log } from '../report/log.ts'
import { describeSizes, noteOrphans, readCatalogue, readManifests } from './dump-catalog.ts'
import type { DumpKey } from './keys.ts'
import type { Manifest } from './manifest.ts'
import { type Scope, sourceOf } from './series.ts'
import type { Storage } from './storage.ts'

/** A stored dump: its manifest or, if it is not committed, the fields that its key holds. */
export type ListedDump = (Manifest | (DumpKey & Pick<Manifest, 'size'>)) & { committed: boolean }

/** Lists the dumps of a scope, newest first. Only the key of a dump that is not committed says where it is from. */
export async function listDumps(storage: Storage, scope: Scope): Promise<ListedDump[]> {
  const { entries, orphans } = await readCatalogue(storage, scope.folder)
  noteOrphans(orphans.filter(scope.mayFit))
  const possible = entries.filter(({ key }) => scope.mayFit(key))
  const manifests = await readManifests(storage, possible)
  const sound = possible.flatMap(({ key, size }) => {
    const manifest = manifests.get(key.key)
    if (manifest?.size === size) return [{ key, source: sourceOf(manifest), manifest }]
    if (manifest) log.warning(`${key.key} is listed as not committed: ${describeSizes(size, manifest)}`)
    return []
  })
  const isSound = new Set(sound.map(({ key }) => key.key))
  const selected = new Map(
    scope.select(sound).flatMap((series) => series.map((dump) => [dump.key.key, dump])),
  )
  return possible.flatMap(({ key, size }): ListedDump[] => {
    if (!isSound.has(key.key)) return [{ ...key, size, committed: false }]
    const dump = selected.get(key.key)
    return dump ? [{ ...dump.manifest, committed: true }] : []
  })
}
