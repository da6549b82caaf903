import { type Attempt, tryInOrder } from '../install.ts'
import type { ToolOptions } from '../options.ts'
import { packageAttempts } from '../packages.ts'
import { type PackageManager, readSystem } from '../system.ts'
import { aptAttempts, availableMajors, withPgdgFiles } from './postgres-apt.ts'
import { installWithDnf } from './postgres-dnf.ts'
import { installWindowsClient } from './postgres-windows.ts'

export type WantedMajors = { preferred: number[]; reserve: number[] }

/**
 * The ways to get a client where the package names are all that matters:
 * - Alpine: `postgresql17-client`, programs in /usr/libexec/postgresql17.
 * - Homebrew: `postgresql@17`, built with lz4 and zstd, which `libpq` is not.
 */
export function namedAttempts(manager: PackageManager, majors: WantedMajors): Attempt[] {
  return [...majors.preferred, ...majors.reserve].flatMap((major) => {
    switch (manager) {
      case 'apk':
        return packageAttempts(manager, `postgresql${major}-client`)
      case 'brew':
        return packageAttempts(manager, `postgresql@${major}`)
      default:
        return []
    }
  })
}

/** Installs a client of one of the majors, best first, until `find` finds one that serves. */
export async function installPostgres<T>(
  majors: WantedMajors,
  options: ToolOptions,
  find: () => Promise<T | undefined>,
  failures: string[],
): Promise<T | undefined> {
  const { environment } = options
  if (environment.platform === 'win32') return installOnWindows(majors, options, find, failures)
  const system = await readSystem(environment)
  if (system.packageManager === 'dnf') return installWithDnf(majors, system, options, find, failures)
  if (system.packageManager !== 'apt') {
    const attempts = namedAttempts(system.packageManager, majors)
    if (attempts.length === 0) failures.push(`there is no way to install it on ${system.name} that we know`)
    return tryInOrder(attempts, options, find, failures)
  }
  const available = await availableMajors(majors, options)
  return withPgdgFiles(system.codename, options.downloadBaseUrl, (folder) =>
    tryInOrder(aptAttempts(majors, available, folder), options, find, failures),
  )
}

async function installOnWindows<T>(
  { preferred: [major] }: WantedMajors,
  options: ToolOptions,
  find: () => Promise<T | undefined>,
  failures: string[],
): Promise<T | undefined> {
  options.log(`Downloading the PostgreSQL ${major} programs from EnterpriseDB …`)
  try {
    await installWindowsClient(major!, options)
    return await find()
  } catch (error) {
    options.signal?.throwIfAborted()
    failures.push((error as Error).message)
    return undefined
  }
}
