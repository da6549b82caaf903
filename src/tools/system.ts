import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ToolEnvironment } from './options.ts'

export type PackageManager = 'apt' | 'apk' | 'dnf' | 'brew' | 'none'

/** What decides how software gets onto this machine. */
export type System = {
  packageManager: PackageManager
  /** As in `bookworm` or `noble`, empty where there is none. */
  codename: string
  /** The major of RHEL that a rebuild of it follows, null on every other system. */
  rhelMajor: number | null
  /** For messages: `Debian GNU/Linux 12 (bookworm)`. */
  name: string
}

const FAMILIES: readonly [PackageManager, RegExp][] = [
  ['apt', /\b(?:debian|ubuntu)\b/],
  ['apk', /\balpine\b/],
  ['dnf', /\b(?:fedora|rhel|centos|amzn|rocky|almalinux)\b/],
]

/** Those whose packages fit RHEL of the same major. Amazon Linux 2 calls itself like it, and follows none. */
const RHEL = /\b(?:rhel|centos|rocky|almalinux|ol)\b/

/** Reads the system from its platform and its os-release(5) text. */
export function describeSystem(platform: NodeJS.Platform, osRelease: string): System {
  if (platform === 'darwin') return { packageManager: 'brew', codename: '', rhelMajor: null, name: 'macOS' }
  if (platform === 'win32') return { packageManager: 'none', codename: '', rhelMajor: null, name: 'Windows' }
  const value = (key: string) => new RegExp(`^${key}=["']?([^"'\\n]*)`, 'm').exec(osRelease)?.[1] ?? ''
  const family = `${value('ID')} ${value('ID_LIKE')}`
  return {
    packageManager: FAMILIES.find(([, names]) => names.test(family))?.[0] ?? 'none',
    // Derivatives such as Mint carry their own codename beside Ubuntu's, whose repositories they share.
    codename: value('UBUNTU_CODENAME') || value('VERSION_CODENAME'),
    rhelMajor: RHEL.test(family) && value('ID') !== 'amzn' ? Number.parseInt(value('VERSION_ID'), 10) : null,
    name: value('PRETTY_NAME') || platform,
  }
}

/** As `describeSystem`, for the machine at hand. */
export async function readSystem({ platform, root }: ToolEnvironment): Promise<System> {
  const read = (path: string) => readFile(join(root, path), 'utf8').catch(() => '')
  return describeSystem(platform, (await read('etc/os-release')) || (await read('usr/lib/os-release')))
}
