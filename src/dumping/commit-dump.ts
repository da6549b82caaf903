import { messageOf } from '../errors.ts'
import { log } from '../report/log.ts'
import { manifestKey } from '../storage/keys.ts'
import { formatManifest, type Manifest } from '../storage/manifest.ts'
import { type Storage, TakenError } from '../storage/storage.ts'
import { discard } from './upload-dump.ts'

/**
 * Commits a stored dump by writing its manifest. Afterwards data and manifest are both stored, or the error is thrown and
 * neither is.
 */
export async function commitDump(storage: Storage, manifest: Manifest, signal: AbortSignal): Promise<void> {
  let begun = false
  try {
    const text = formatManifest(manifest)
    signal.throwIfAborted()
    begun = true
    await storage.writeTextOnce(manifestKey(manifest.key), text)
  } catch (error) {
    // The data goes last, so that it is never missing beside a manifest.
    if (!begun || (await isWithdrawn(storage, manifest.key, error)))
      await discard(storage, manifest.key, error)
    throw error
  }
  log.info(`Committed ${storage.address(manifest.key)}`)
}

/** Removes a manifest whose write failed, because it may have happened: its answer was lost, or the disk failed after it. */
async function isWithdrawn(storage: Storage, key: string, reason: unknown): Promise<boolean> {
  if (reason instanceof TakenError) return true
  return storage.remove(manifestKey(key)).then(
    () => true,
    (error) => {
      log.warning(
        `${key} stays in storage and may be committed, because its manifest could not be removed: ${messageOf(error)}`,
      )
      return false
    },
  )
}
