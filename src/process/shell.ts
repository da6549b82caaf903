import { existsSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import type { Environment } from './environment.ts'

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

/** Whether there is a bash on PATH; a container of Alpine has none. */
export function findBash({ PATH = '' }: Environment): boolean {
  return PATH.split(delimiter).some(
    (directory) => isAbsolute(directory) && existsSync(join(directory, 'bash')),
  )
}
