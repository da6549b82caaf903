import { log } from '../report/log.ts'
import { readCatalogue, readManifests } from './dump-catalog.ts'
import type { DumpKey } from './keys.ts'
import type { Manifest } from './manifest.ts'
import { type Scope, sourceOf } from './series.ts'
import type { Storage } from './storage.ts'

/** A stored dump: its manifest or, if it is not committed, the fields that its key holds. */
export type ListedDump = (Manifest | (DumpKey & Pick<Manifest, 'size'>)) & { committed: boolean }

/** Lists the dumps of a scope, newest first. Only the key of a dump that is not committed says where it is from. */
export async function listDumps(storage: Storage, scope: Scope): Promise<ListedDump[]> {
  const { entries, orphans } = await readCatalogue(storage, scope.folder)
  for (const orphan of orphans) log.warning(`${orphan.key} has a manifest, but its data is gone`)
  const possible = entries.filter(({ key }) => scope.mayFit(key))
  const manifests = await readManifests(storage, possible)
  const named = possible.flatMap(({ key }) => {
    const manifest = manifests.get(key.key)
    return manifest ? [{ key, source: sourceOf(manifest), manifest }] : []
  })
  const selected = new Map(
    scope.select(named).flatMap((series) => series.map((dump) => [dump.key.key, dump])),
  )
  return possible.flatMap(({ key, size, committed }): ListedDump[] => {
    if (!committed) return [{ ...key, size, committed }]
    const dump = selected.get(key.key)
    return dump ? [{ ...dump.manifest, committed }] : []
  })
}
