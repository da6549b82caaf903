import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ToolEnvironment } from './options.ts'

export type PackageManager = 'apt' | 'apk' | 'dnf' | 'brew' | 'none'

/** The facts that decide how software is installed on a machine. */
export type System = {
  packageManager: PackageManager
  /** As in `bookworm` or `noble`, empty where there is none. */
  codename: string
  /** For messages: `Debian GNU/Linux 12 (bookworm)`. */
  name: string
}

const FAMILIES: readonly [PackageManager, RegExp][] = [
  ['apt', /\b(?:debian|ubuntu)\b/],
  ['apk', /\balpine\b/],
  ['dnf', /\b(?:fedora|rhel|centos|amzn|rocky|almalinux)\b/],
]

/** Reads the system from its platform and its os-release(5) text. */
export function describeSystem(platform: NodeJS.Platform, osRelease: string): System {
  if (platform === 'darwin') return { packageManager: 'brew', codename: '', name: 'macOS' }
  if (platform === 'win32') return { packageManager: 'none', codename: '', name: 'Windows' }
  const value = (key: string) => new RegExp(`^${key}=["']?([^"'\\n]*)`, 'm').exec(osRelease)?.[1] ?? ''
  const family = `${value('ID')} ${value('ID_LIKE')}`
  return {
    packageManager: FAMILIES.find(([, names]) => names.test(family))?.[0] ?? 'none',
    // Derivatives such as Mint carry their own codename beside Ubuntu's, whose repositories they share.
    codename: value('UBUNTU_CODENAME') || value('VERSION_CODENAME'),
    name: value('PRETTY_NAME') || platform,
  }
}

/** As `describeSystem`, for this machine. */
export async function readSystem({ platform, root }: ToolEnvironment): Promise<System> {
  const read = (path: string) => readFile(join(root, path), 'utf8').catch(() => '')
  return describeSystem(platform, (await read('etc/os-release')) || (await read('usr/lib/os-release')))
}
