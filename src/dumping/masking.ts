import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseMaskFile } from '../masking/mask-file.ts'
import { type MaskKey, maskKey, randomMaskKey } from '../masking/mask-key.ts'
import type { MaskFile } from '../masking/rules.ts'
import { whyUnreadable } from '../process/user-path.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'

/** What the inputs of a step say about masks. */
export type Masking = {
  file: MaskFile
  /** Hex digest of the file. */
  sha256: string
  key: MaskKey
  keepsLargeObjects: boolean
  /** Whether the columns that are kept are searched for personal data. */
  scansForLeaks: boolean
}

/** A shorter key can be found by trying all of them, and with it the values behind the masks. */
const MIN_KEY_BYTES = 16

/**
 * Reads the mask file and the key, once for all attempts of a step.
 *
 * @returns null if the step does not mask
 * @throws an Error when the file cannot be read, or with every mistake in it
 */
export async function readMasking({ inputs, workspace }: Step): Promise<Masking | null> {
  const { mask, maskKey: secret, largeObjects, leakScan } = inputs
  if (mask === '') return null
  if (process.platform === 'win32')
    throw new Error(
      'mask cannot be used on a Windows runner, where psql changes the ends of lines; use Linux',
    )
  const text = await readText(mask, workspace)
  const file = parseMaskFile(mask, text.toString())
  if (secret === '')
    log.notice(
      'mask-key is not set, so this run has a key of its own: equal values get equal masks in this dump, and other ones in the next',
    )
  else if (Buffer.byteLength(secret) < MIN_KEY_BYTES)
    log.warning(
      `mask-key is shorter than ${MIN_KEY_BYTES} bytes, so it can be guessed, and with it the values behind the masks; use a random text such as that of "openssl rand -hex 32"`,
    )
  return {
    file,
    sha256: createHash('sha256').update(text).digest('hex'),
    key: secret === '' ? randomMaskKey() : maskKey(secret),
    keepsLargeObjects: largeObjects === 'keep',
    scansForLeaks: leakScan,
  }
}

async function readText(file: string, workspace: string): Promise<Buffer> {
  try {
    return await readFile(resolve(workspace, file))
  } catch (error) {
    throw new Error(`mask ${JSON.stringify(file)} cannot be read: it ${whyUnreadable(error)}`, {
      cause: error,
    })
  }
}
