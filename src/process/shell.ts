import type { Environment } from './environment.ts'
import { findOnPath } from './find-program.ts'

/** The `bash -e` of PowerShell 7.4 and later: without it, only the last command decides whether a hook failed. */
const STOP_AT_ERRORS = "$ErrorActionPreference = 'Stop'; $PSNativeCommandUseErrorActionPreference = $true;"

/** How to run a user's command: as GitHub runs a `run:` step, in bash with -e and pipefail, or else in sh -e. */
export function shellCommand(
  command: string,
  platform: NodeJS.Platform,
  hasBash: boolean,
): { file: string; args: string[] } {
  if (platform === 'win32')
    return { file: 'pwsh', args: ['-NoProfile', '-Command', `${STOP_AT_ERRORS} ${command}`] }
  return hasBash
    ? { file: 'bash', args: ['-e', '-o', 'pipefail', '-c', command] }
    : { file: 'sh', args: ['-e', '-c', command] }
}

/** Whether bash is on PATH. Alpine containers do not have it. */
export async function findBash(environment: Environment): Promise<boolean> {
  return (await findOnPath('bash', environment)) !== null
}
