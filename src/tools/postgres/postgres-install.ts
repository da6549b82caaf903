import { type Attempt, type Installation, tryInOrder } from '../install.ts'
import type { ToolOptions } from '../options.ts'
import { asRoot, packageAttempts } from '../packages.ts'
import { type PackageManager, readSystem, type System } from '../system.ts'
import type { WantedMajors } from './choose-client.ts'
import { aptAttempts, availableMajors, withPgdgFiles } from './postgres-apt.ts'

/**
 * The ways to get a client from packages whose names hold the major:
 * - Alpine: `postgresql17-client`, programs in /usr/libexec/postgresql17.
 * - Fedora, RHEL 10 and Amazon Linux: `postgresql17`. RHEL 8 and 9: the stream 17 of the module `postgresql`.
 * - Homebrew: `postgresql@17`, built with lz4 and zstd, which `libpq` is not.
 */
export function namedAttempts(manager: PackageManager, { preferred, reserve }: WantedMajors): Attempt[] {
  return [...preferred, ...reserve].flatMap((major) => {
    switch (manager) {
      case 'apk':
        return packageAttempts(manager, `postgresql${major}-client`)
      case 'dnf':
        return [...packageAttempts(manager, `postgresql${major}`), moduleAttempt(major)]
      case 'brew':
        return packageAttempts(manager, `postgresql@${major}`)
      default:
        return []
    }
  })
}

function moduleAttempt(major: number): Attempt {
  const stream = `postgresql:${major}/client`
  return {
    name: `${stream} (dnf module)`,
    commands: [asRoot('dnf', '-y', '-q', 'module', 'install', stream)],
  }
}

/** Installs a client of one of the majors, best first, until `find` finds one that fits. */
export async function installPostgres<T>(
  majors: WantedMajors,
  options: ToolOptions,
  find: () => Promise<T | undefined>,
): Promise<Installation<T>> {
  const { packageManager, codename, name } = await readSystem(options.environment)
  if (packageManager === 'apt') {
    const available = await availableMajors(majors, options)
    return withPgdgFiles(codename, options, (folder) =>
      tryInOrder(aptAttempts(majors, available, folder), options, find),
    )
  }
  const attempts = namedAttempts(packageManager, majors)
  if (attempts.length === 0) return { failures: [`this action cannot install it on ${name}`] }
  return tryInOrder(attempts, options, find)
}

/** What the user can install in place of this action, as the end of a sentence. */
export function howToInstall(major: number, { packageManager, name }: System): string {
  const packages: Record<PackageManager, string> = {
    apt: `the package postgresql-client-${major} (https://wiki.postgresql.org/wiki/Apt has all versions)`,
    apk: `the package postgresql${major}-client`,
    dnf: `the package postgresql${major} (https://www.postgresql.org/download/linux/redhat/ has all versions)`,
    brew: `the formula postgresql@${major}`,
    none:
      name === 'Windows'
        ? `the command line tools of https://www.postgresql.org/download/windows/ in C:\\Program Files\\PostgreSQL\\${major}, or name their folder in PGBIN`
        : `the programs of https://www.postgresql.org/download/ on PATH`,
  }
  return packages[packageManager]
}
