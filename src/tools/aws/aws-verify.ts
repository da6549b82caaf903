import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { messageOf } from '../../errors.ts'
import { download } from '../download.ts'
import type { ToolOptions } from '../options.ts'
import { assertSigned } from '../proof/openpgp.ts'
import { assertVendorSigned } from '../proof/vendor-signature.ts'
import { assertWholeZip } from '../zip.ts'
import type { AwsBundle } from './aws-bundle.ts'
import { AWS_CLI_KEY } from './aws-key.ts'

/**
 * Proves that a download is complete and that AWS published it; nothing of it may be started before. A SHA-256 that the
 * user gave is the only proof; without one, the signature is: that of the platform, or the detached one beside a zip.
 *
 * @param sha256 hex, or null when none was given
 * @param folder receives the signature
 * @returns the proof, for the log
 * @throws an Error that says what is wrong with the download
 */
export async function assertGenuine(
  bundle: AwsBundle,
  file: string,
  { sha256, folder }: { sha256: string | null; folder: string },
  options: ToolOptions,
): Promise<string> {
  if (bundle.kind === 'zip') await assertWholeZip(file)
  if (sha256) {
    await assertDigest(file, sha256)
    return 'the SHA-256 in aws-cli-version'
  }
  if (bundle.kind !== 'zip') return assertVendorSigned(file, bundle.kind, options.environment)
  const signature = join(folder, 'bundle.sig')
  await download(`${bundle.url}.sig`, signature, options)
  try {
    await assertSigned(file, await readFile(signature), AWS_CLI_KEY)
  } catch (error) {
    throw new Error(`its signature is not valid: ${messageOf(error)}`, { cause: error })
  }
  return `the PGP signature of the AWS CLI Team (${AWS_CLI_KEY.fingerprint})`
}

async function assertDigest(file: string, expected: string): Promise<void> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  const actual = hash.digest('hex')
  if (actual !== expected) throw new Error(`its SHA-256 is ${actual}, and aws-cli-version says ${expected}`)
}

/** `e_machine` of the ELF header (elf.h). */
const ELF_MACHINES: Record<string, number> = { x64: 62, arm64: 183 }

/** @throws unless a program is a Linux program for this processor: no other one may be started. */
export async function assertRunsOn(arch: string, program: string): Promise<void> {
  await using handle = await open(program)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, 0)
  const isElf = bytesRead === 20 && buffer.readUInt32BE(0) === 0x7f454c46
  if (!isElf || buffer.readUInt16LE(18) !== ELF_MACHINES[arch]) {
    throw new Error(`the bundle is not for ${arch} Linux`)
  }
}
