import { decryption } from '../encryption/stages.ts'
import { onceDone } from '../once-done.ts'
import type { Source, Stage } from '../process/transfer.ts'
import { formatBytes, formatDuration } from '../report/format.ts'
import { log } from '../report/log.ts'
import { checkExpiry, selectionOf } from '../step/open-storage.ts'
import type { Step } from '../step/step.ts'
import { type Chosen, chooseDump } from '../storage/choose-dump.ts'
import { EarlyDownload } from '../storage/early-download.ts'
import { isEncryptedKey, parseDumpKey } from '../storage/keys.ts'
import type { Storage } from '../storage/storage.ts'
import { checkIdentity } from './check-identity.ts'
import { ageOf, checkAge } from './dump-age.ts'

/** A stored dump and its store. */
export type Dump = {
  storage: Storage
  chosen: Chosen
  /** Opens the download, which may have begun while the dump was being found. */
  open(): Promise<Source>
  /** What turns the stored bytes into an archive. */
  unseal: readonly Stage[]
}

/**
 * Returns what finds the dump that `dump-key` names. It is found once for all attempts of a step, so that a newer dump does
 * not change what is restored.
 *
 * @param scope its end ends a download that nothing has used
 */
export function dumpFinder(step: Step, scope: AsyncDisposableStack): () => Promise<Dump> {
  return onceDone(() => findDump(step, scope))
}

async function findDump(step: Step, scope: AsyncDisposableStack): Promise<Dump> {
  const { inputs } = step
  const storage = await step.storage()
  await using unfinished = new AsyncDisposableStack()
  const early = unfinished.use(new EarlyDownload(storage))
  // A template of the dump may exist already.
  const guess = (key: string) => (inputs.templateCache > 0 ? undefined : early.begin(key))
  const chosen = await chooseDump(storage, selectionOf(inputs), { guess, readWhole: isReadWhole(inputs) })
  await early.keep(chosen.key)
  const key = parseDumpKey(chosen.key)
  const age = key ? `, ${formatDuration(Math.max(0, ageOf(key)))} old` : ''
  log.info(`Found ${storage.address(chosen.key)}, ${formatBytes(chosen.size)}${age}`)
  checkAge(inputs, key)
  checkExpiry(step, { kind: 'restore', bytes: chosen.manifest?.rawBytes ?? chosen.size })
  warnOfChoice(inputs.dumpKey, chosen)
  const isEncrypted = isEncryptedKey(chosen.key)
  if (isEncrypted) await checkIdentity(storage, chosen, inputs.ageIdentity)
  scope.use(unfinished.move())
  return {
    ...{ storage, chosen },
    open: () => early.open(chosen.key),
    unseal: isEncrypted ? [decryption(inputs.ageIdentity)] : [],
  }
}

/**
 * Whether the whole dump is read, and nothing is changed before it was compared with its manifest. A restore in place has
 * emptied the database by then, and a template of the dump needs no download.
 */
function isReadWhole({ command, swap, dryRun, templateCache }: Step['inputs']): boolean {
  return command === 'verify' || (command === 'restore' && swap && !dryRun && templateCache === 0)
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
