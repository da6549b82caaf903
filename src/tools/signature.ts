import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, runCommand } from './command.ts'
import type { ToolOptions } from './options.ts'

export type Signer = { fingerprint: string; armored: string }

/** Whether gpg is there to check a signature with. */
export async function hasGpg(options: ToolOptions): Promise<boolean> {
  return (await runCommand({ file: 'gpg', args: ['--version'] }, options)).ok
}

/** The commands that check a detached signature with a keyring that holds the signer's key and nothing else. */
export function verifyCommands(home: string, keyFile: string, file: string, signature: string): Command[] {
  const gpg = (...args: string[]): Command => ({
    file: 'gpg',
    args: ['--homedir', home, '--batch', '--no-autostart', '--status-fd', '1', ...args],
  })
  return [gpg('--import', keyFile), gpg('--verify', signature, file)]
}

/**
 * Whether gpg says that the signer signed. The fingerprint decides, not the expiry date of our copy of the key, which
 * AWS moves on from year to year. `VALIDSIG` ends with the primary key's fingerprint (GnuPG, doc/DETAILS).
 */
export function isSignedBy(status: string, { fingerprint }: Signer): boolean {
  return status
    .split('\n')
    .some((line) => line.startsWith('[GNUPG:] VALIDSIG ') && line.trimEnd().endsWith(fingerprint))
}

/** Throws unless `signature` is the signer's signature of `file`. `folder` takes the keyring. */
export async function assertSigned(
  { file, signature, signer, folder }: { file: string; signature: string; signer: Signer; folder: string },
  options: ToolOptions,
): Promise<void> {
  const home = join(folder, 'gnupg')
  const keyFile = join(folder, 'signer.asc')
  await mkdir(home, { mode: 0o700 })
  await writeFile(keyFile, signer.armored)
  for (const command of verifyCommands(home, keyFile, file, signature)) {
    const result = await runCommand(command, options)
    if (!result.ok) throw new Error(`its signature is not good: ${result.reason}`)
    if (command.args.includes('--verify') && !isSignedBy(result.stdout, signer)) {
      throw new Error(`its signature is not by the key ${signer.fingerprint}`)
    }
  }
}
