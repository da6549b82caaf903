import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { AwsBundle } from './aws-bundle.ts'
import { AWS_CLI_KEY } from './aws-key.ts'
import { type Command, runCommand } from './command.ts'
import { download } from './download.ts'
import type { ToolOptions } from './options.ts'
import { assertSigned, hasGpg } from './signature.ts'
import { assertWholeZip } from './zip.ts'

/** How a platform checks the vendor's signature of a package, and what its answer must hold. */
export function platformCheck(kind: 'pkg' | 'msi', file: string): { command: Command; expects: RegExp } {
  if (kind === 'pkg') {
    // 94KV3E626L is Amazon's team at Apple, as the AWS CLI install guide says.
    return {
      command: { file: 'pkgutil', args: ['--check-signature', file] },
      expects: /Status: signed by a developer certificate[\s\S]*\(94KV3E626L\)/,
    }
  }
  const script =
    '$s = Get-AuthenticodeSignature -LiteralPath $env:PGCLONE_FILE; "$($s.Status) $($s.SignerCertificate.Subject)"'
  return {
    command: { file: 'powershell', args: ['-NoProfile', '-Command', script], env: { PGCLONE_FILE: file } },
    expects: /^Valid .*O="?Amazon/,
  }
}

/**
 * Throws unless a download is whole and signed. Where gpg is missing, a Linux bundle rests on TLS and its structure
 * alone, and the log says so.
 */
export async function assertGenuine(
  bundle: AwsBundle,
  file: string,
  folder: string,
  options: ToolOptions,
): Promise<void> {
  if (bundle.kind !== 'zip') {
    const { command, expects } = platformCheck(bundle.kind, file)
    const result = await runCommand(command, options)
    if (!result.ok) throw new Error(`its signature is not good: ${result.reason}`)
    if (!expects.test(result.stdout)) throw new Error('it is not signed by Amazon')
    return
  }
  await assertWholeZip(file)
  if (!(await hasGpg(options))) {
    options.log('The signature of the AWS CLI is not checked, because gpg is missing.')
    return
  }
  const signature = join(folder, 'bundle.sig')
  await download(`${bundle.url}.sig`, signature, options)
  await assertSigned({ file, signature, signer: AWS_CLI_KEY, folder }, options)
}

/** `e_machine` of the ELF header (elf.h). */
const ELF_MACHINES: Record<string, number> = { x64: 62, arm64: 183 }

/** Throws unless a Linux program is one for this processor: what is not is never started. */
export async function assertRunsOn(arch: string, program: string): Promise<void> {
  await using handle = await open(program)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, 0)
  const isElf = bytesRead === 20 && buffer.readUInt32BE(0) === 0x7f454c46
  if (!isElf || buffer.readUInt16LE(18) !== ELF_MACHINES[arch]) {
    throw new Error(`the bundle is not for ${arch} Linux`)
  }
}
