import { allOf } from '../all-of.ts'
import { messageOf } from '../errors.ts'
import { formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import { manifestKey } from '../storage/keys.ts'
import { formatManifest, type Manifest } from '../storage/manifest.ts'
import { type Storage, TakenError } from '../storage/storage.ts'
import { discard } from './upload-dump.ts'

/**
 * Commits a stored dump by writing the roles beside it, if it has some, and then its manifest. Afterwards data and manifest are both stored, or the error is thrown and
 * neither is. What the store holds is checked meanwhile, because each request to S3 takes most of a second: readers skip
 * data of another size than the manifest says, so a manifest that must go again misleads nobody.
 */
export async function commitDump(
  storage: Storage,
  manifest: Manifest,
  signal: AbortSignal,
  globals: string | null = null,
): Promise<void> {
  let begun = false
  try {
    const text = formatManifest(manifest)
    signal.throwIfAborted()
    if (manifest.globals) await storage.writeTextOnce(manifest.globals.key, globals!)
    begun = true
    const written = storage.writeTextOnce(manifestKey(manifest.key), text)
    await allOf([written, checkStored(storage, manifest)])
  } catch (error) {
    // The data goes last, so that it is never missing beside a manifest.
    if (!begun || (await isWithdrawn(storage, manifest.key, error))) {
      if (manifest.globals) await discard(storage, manifest.globals.key, error)
      await discard(storage, manifest.key, error)
    }
    throw error
  }
  log.info(`Committed ${storage.address(manifest.key)}`)
}

/** Fails unless the store holds as many bytes as it was sent. */
async function checkStored(storage: Storage, { key, size: sent }: Manifest): Promise<void> {
  const size = await storage.size(key, { evenWhenCancelled: true })
  if (size === sent) return
  const found = size === null ? 'does not have it' : `holds ${formatQuantity(size, 'byte')}`
  throw new Error(
    `${formatQuantity(sent, 'byte')} were sent and the store ${found}; the dump was not committed. With a provider other than AWS, try s3-checksum: when-required`,
  )
}

/**
 * Removes a manifest, also one whose write failed, because it may have happened: its answer was lost, or the disk failed
 * after it.
 */
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
