import { askCommand, type Command } from '../command.ts'
import type { ToolEnvironment } from '../options.ts'

/** An installer package that Amazon signed in the way of its platform. */
export type SignedKind = 'pkg' | 'msi'

/** Prints the state of a file's Authenticode signature and who made it. */
const AUTHENTICODE =
  '$s = Get-AuthenticodeSignature -LiteralPath $env:PGCLONE_FILE; "$($s.Status) $($s.SignerCertificate.Subject)"'

/** The platform's answer about a file that Amazon signed. */
const SIGNED_BY_AMAZON: Record<SignedKind, RegExp> = {
  // 94KV3E626L is Amazon's team at Apple, as the AWS CLI install guide says.
  pkg: /Status: signed by a developer certificate[\s\S]*\(94KV3E626L\)/,
  msi: /^Valid (?:.*, )?O="?Amazon(?: Web Services|\.com)/,
}

/** How a platform checks the signature of a file, and what its answer must match. */
export function vendorCheck(kind: SignedKind, file: string): { command: Command; expects: RegExp } {
  const command =
    kind === 'pkg'
      ? { file: 'pkgutil', args: ['--check-signature', file] }
      : { file: 'powershell', args: ['-NoProfile', '-Command', AUTHENTICODE], env: { PGCLONE_FILE: file } }
  return { command, expects: SIGNED_BY_AMAZON[kind] }
}

/** @returns the proof, for the log. @throws unless the platform says that Amazon signed the file */
export async function assertVendorSigned(
  file: string,
  kind: SignedKind,
  environment: ToolEnvironment,
): Promise<string> {
  const { command, expects } = vendorCheck(kind, file)
  const result = await askCommand(command, environment)
  if (!result.ok) throw new Error(`its signature cannot be checked: ${result.reason}`)
  if (!expects.test(result.stdout)) throw new Error(`it is not signed by Amazon`)
  return `the signature of Amazon (${command.file})`
}
