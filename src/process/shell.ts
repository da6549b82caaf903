import type { Environment } from './environment.ts'
import { findOnPath } from './find-program.ts'

/** What `bash -e` is, for PowerShell 7.4 and later: without it only the last command decides whether a hook failed. */
const STOP_AT_ERRORS = "$ErrorActionPreference = 'Stop'; $PSNativeCommandUseErrorActionPreference = $true;"

/** Users write commands as they write `run:` steps, and GitHub runs those in bash with -e and pipefail, or else in sh -e. */
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

/** Whether bash is on PATH; a container of Alpine does not have it. */
export async function findBash(environment: Environment): Promise<boolean> {
  return (await findOnPath('bash', environment)) !== null
}
