import { type Command, runCommand } from '../command.ts'
import type { ToolOptions } from '../options.ts'

/** A package or program that its vendor signed in the way of the platform. */
export type SignedKind = 'pkg' | 'msi' | 'postgresql-installer'

/** Prints the state of a file's Authenticode signature and who made it. */
const AUTHENTICODE =
  '$s = Get-AuthenticodeSignature -LiteralPath $env:PGCLONE_FILE; "$($s.Status) $($s.SignerCertificate.Subject)"'

const VENDORS: Record<SignedKind, { vendor: string; expects: RegExp }> = {
  // 94KV3E626L is Amazon's team at Apple, as the AWS CLI install guide says.
  pkg: {
    vendor: 'Amazon',
    expects: /Status: signed by a developer certificate[\s\S]*\(94KV3E626L\)/,
  },
  msi: { vendor: 'Amazon', expects: /^Valid (?:.*, )?O="?Amazon(?: Web Services|\.com)/ },
  // The subject that GitHub's own image scripts expect (actions/runner-images, Install-PostgreSQL.ps1).
  'postgresql-installer': {
    vendor: 'EnterpriseDB',
    expects: /^Valid (?:.*, )?O=EnterpriseDB Corporation(?:,|$)/m,
  },
}

/** How a platform checks the vendor's signature of a file, and what its answer must hold. */
export function vendorCheck(kind: SignedKind, file: string): { command: Command; expects: RegExp } {
  const command =
    kind === 'pkg'
      ? { file: 'pkgutil', args: ['--check-signature', file] }
      : { file: 'powershell', args: ['-NoProfile', '-Command', AUTHENTICODE], env: { PGCLONE_FILE: file } }
  return { command, expects: VENDORS[kind].expects }
}

/** Throws unless the platform says that the vendor signed the file. @returns what proved it, for the log */
export async function assertVendorSigned(
  file: string,
  kind: SignedKind,
  options: ToolOptions,
): Promise<string> {
  const { command, expects } = vendorCheck(kind, file)
  const { vendor } = VENDORS[kind]
  const result = await runCommand(command, options)
  if (!result.ok) throw new Error(`its signature is not good: ${result.reason}`)
  if (!expects.test(result.stdout)) throw new Error(`it is not signed by ${vendor}`)
  return `the signature of ${vendor} (${command.file})`
}
