import { log } from '../report/log.ts'
import { isWanted, type Narrowing, readCatalogue, readManifests } from './dump-catalog.ts'
import type { DumpKey } from './keys.ts'
import type { Manifest } from './manifest.ts'
import type { Storage } from './storage.ts'

/** A stored dump: its manifest or, if it is not committed, the fields that its key holds. */
export type ListedDump = (Manifest | (DumpKey & Pick<Manifest, 'size'>)) & { committed: boolean }

/** Lists the dumps below a prefix of whole key parts, newest first. */
export async function listDumps(
  storage: Storage,
  prefix: string,
  narrowing: Narrowing,
): Promise<ListedDump[]> {
  const { entries, orphans } = await readCatalogue(storage, prefix)
  for (const orphan of orphans) log.warning(`${orphan.key} has a manifest, but its data is gone`)
  const wanted = entries.filter(({ key }) => isWanted(key, narrowing))
  const manifests = await readManifests(storage, wanted)
  return wanted.map(({ key, size, committed }) => ({
    ...(manifests.get(key.key) ?? { ...key, size }),
    committed,
  }))
}
