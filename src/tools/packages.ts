import type { Command } from './command.ts'
import type { Attempt } from './install.ts'
import type { PackageManager } from './system.ts'

/**
 * apt-get for scripts: it asks no questions, waits for another apt that holds the lock (a fresh machine updates itself),
 * and gives up soon on a mirror that does not answer.
 */
export function aptGet(args: readonly string[]): Command {
  const options = [
    'DPkg::Lock::Timeout=120',
    'Acquire::Retries=2',
    'Acquire::http::Timeout=20',
    'Acquire::https::Timeout=20',
  ]
  return {
    file: 'apt-get',
    args: ['-q', '-y', ...options.flatMap((option) => ['-o', option]), ...args],
    asRoot: true,
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    timeoutSeconds: 600,
  }
}

export const APT_UPDATE = aptGet(['update'])

/** `apt-get install` without what packages merely recommend. */
export function aptInstall(...packages: string[]): Command {
  return aptGet(['install', '--no-install-recommends', ...packages])
}

const PACKAGE_TIMEOUT = 600

/** Installs a package with its package manager. For apt, a second attempt follows with fresh package lists. */
export function packageAttempts(manager: PackageManager, packageName: string): Attempt[] {
  const name = `${packageName} (${manager})`
  switch (manager) {
    case 'apt':
      return [
        { name, commands: [aptInstall(packageName)] },
        { name: `${name} with fresh package lists`, commands: [APT_UPDATE, aptInstall(packageName)] },
      ]
    case 'apk':
      return [{ name, commands: [asRoot('apk', 'add', '--no-cache', '--wait', '120', packageName)] }]
    case 'dnf':
      return [{ name, commands: [asRoot('dnf', '-y', '-q', 'install', packageName)] }]
    case 'brew':
      return [{ name, commands: [brewInstall(packageName)] }]
    case 'none':
      return []
  }
}

/** A command of a package manager, which may take minutes. */
export function asRoot(file: string, ...args: string[]): Command {
  return { file, args, asRoot: true, timeoutSeconds: PACKAGE_TIMEOUT }
}

/** Copies a file to a folder of the system, readable for everybody. */
export function placeFile(source: string, target: string): Command {
  return asRoot('install', '-D', '-m', '644', source, target)
}

/** Homebrew refuses to run as root, and would otherwise first update all of itself. */
function brewInstall(formula: string): Command {
  const env = { HOMEBREW_NO_AUTO_UPDATE: '1', HOMEBREW_NO_INSTALL_CLEANUP: '1', HOMEBREW_NO_ENV_HINTS: '1' }
  return { file: 'brew', args: ['install', '--quiet', formula], env, timeoutSeconds: PACKAGE_TIMEOUT }
}
