import { formatBytes, formatDuration } from '../report/format.ts'
import { log } from '../report/log.ts'
import { checkExpiry, selectionOf } from '../step/open-storage.ts'
import type { Step } from '../step/step.ts'
import { type Chosen, chooseDump } from '../storage/choose-dump.ts'
import { parseDumpKey } from '../storage/keys.ts'
import type { Storage } from '../storage/storage.ts'
import { ageOf, checkAge } from './dump-age.ts'

/** A stored dump and its store. */
export type Dump = { storage: Storage; chosen: Chosen }

/** Finds the dump that `dump-key` names. */
export function findDump(step: Step): Promise<Dump> {
  const { inputs } = step
  return log.group('Find the dump', async () => {
    const storage = await step.storage()
    const chosen = await chooseDump(storage, selectionOf(inputs))
    const key = parseDumpKey(chosen.key)
    const age = key ? `, ${formatDuration(Math.max(0, ageOf(key)))} old` : ''
    log.info(`Found ${storage.address(chosen.key)}, ${formatBytes(chosen.size)}${age}`)
    checkAge(inputs, key)
    checkExpiry(step, { kind: 'restore', bytes: chosen.manifest?.rawBytes ?? chosen.size })
    warnOfChoice(inputs.dumpKey, chosen)
    return { storage, chosen }
  })
}

function warnOfChoice(reference: string, { key, manifest, passedOver }: Chosen): void {
  if (!manifest) {
    log.warning(
      `${key} has no manifest, because this action did not commit it; its content cannot be checked`,
    )
  }
  if (passedOver.length > 0) {
    log.warning(
      `"${reference}" covers several databases; the newest dump was chosen over ${passedOver.join(', ')}. Set instance, config or a longer prefix`,
    )
  }
}
