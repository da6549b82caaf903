import { messageOf } from '../errors.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import { readCatalogue, readManifests } from '../storage/dump-catalog.ts'
import type { Manifest } from '../storage/manifest.ts'
import type { Storage } from '../storage/storage.ts'
import { describeShrinkage, incomparable } from './shrinkage.ts'

/** The newest committed dump of a group, which the next one is compared with; null when there is none. */
export async function findPrevious(
  { inputs }: Step,
  storage: Storage,
  group: string,
): Promise<Manifest | null> {
  // Nothing shrinks by more than all of it.
  if (inputs.maxShrink >= 1) return null
  try {
    const { entries } = await readCatalogue(storage, group)
    const newest = entries.find((entry) => entry.committed)
    if (!newest) return null
    return (await readManifests(storage, [newest], group)).get(newest.key.key)!
  } catch (error) {
    const reason = messageOf(error)
    if (inputs.failOnShrink) {
      throw new Error(`fail-on-shrink needs the dump before this one, which cannot be read: ${reason}`, {
        cause: error,
      })
    }
    log.warning(`The dump is not compared with the one before it (max-shrink): ${reason}`)
    return null
  }
}

/** Warns of a dump that is much smaller than the one before it, or refuses it. */
export function checkShrinkage(
  { maxShrink, failOnShrink }: Pick<Inputs, 'maxShrink' | 'failOnShrink'>,
  previous: Manifest | null,
  manifest: Manifest,
): void {
  if (!previous) return
  const obstacle = incomparable(previous, manifest)
  if (obstacle) log.notice(`The dump is not compared with ${previous.key} (max-shrink): ${obstacle}`)
  const shrinkage = obstacle ? null : describeShrinkage(previous, manifest, maxShrink)
  if (!shrinkage) return
  const percent = Number((maxShrink * 100).toFixed(3))
  const text = `The dump is much smaller than ${previous.key}: ${shrinkage} (max-shrink is ${percent}%)`
  if (failOnShrink) throw new Error(`${text}; it was not committed`)
  log.warning(text)
}
