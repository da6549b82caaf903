import type { Inputs } from '../inputs/inputs.ts'
import type { Chosen } from '../storage/choose-dump.ts'

/**
 * Refuses what was not masked, if only masked dumps may be restored. Nothing but the manifest says that a dump was masked.
 *
 * @throws an Error before the target is touched
 */
export function checkMasked(
  { requireMasked }: Pick<Inputs, 'requireMasked'>,
  { key, manifest }: Pick<Chosen, 'key' | 'manifest'>,
): void {
  if (!requireMasked || manifest?.mask) return
  const why = manifest
    ? 'its manifest has no record of masks, so it holds the data as it was'
    : 'it has no manifest, so nothing shows how it was made'
  throw new Error(
    `require-masked: true refuses ${key}: ${why}; name a dump that was made with mask, or remove require-masked. The target is unchanged`,
  )
}
