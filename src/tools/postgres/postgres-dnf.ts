import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { download, mirrored } from '../download.ts'
import { type Attempt, tryInOrder } from '../install.ts'
import type { ToolOptions } from '../options.ts'
import { asRoot, packageAttempts, placeFile } from '../packages.ts'
import { fingerprintOf } from '../proof/openpgp.ts'
import type { System } from '../system.ts'
import { withStaging } from '../tool-directory.ts'
import type { WantedMajors } from './postgres-install.ts'

const YUM = 'https://download.postgresql.org/pub/repos/yum'
const KEY_FILE = '/etc/pki/rpm-gpg/pgclone-action-pgdg.asc'
const REPOSITORY_FILE = '/etc/yum.repos.d/pgclone-action-pgdg.repo'

/** The keys that sign PostgreSQL's yum repository, one for each architecture (https://yum.postgresql.org/news/). */
const PGDG: Record<string, { machine: string; key: string; fingerprint: string }> = {
  x64: {
    machine: 'x86_64',
    key: 'PGDG-RPM-GPG-KEY-RHEL',
    fingerprint: 'D4BF08AE67A0B4C7A1DBCCD240BCA2B408B40D20',
  },
  arm64: {
    machine: 'aarch64',
    key: 'PGDG-RPM-GPG-KEY-AARCH64-RHEL',
    fingerprint: 'B031F89FC983E98262906B6E177B343BB9738825',
  },
}

/**
 * A major from the distribution: Fedora, RHEL 10 and Amazon Linux have packages like `postgresql17`, RHEL 8 and 9 the
 * stream 17 of the module `postgresql`.
 */
export function dnfAttempts(major: number): Attempt[] {
  const stream = `postgresql:${major}/client`
  return [
    ...packageAttempts('dnf', `postgresql${major}`),
    {
      name: `${stream} (dnf module)`,
      commands: [asRoot('dnf', '-y', '-q', 'module', 'install', stream)],
    },
  ]
}

/**
 * PostgreSQL's own repository for RHEL and its rebuilds, trusted with its own key only. `module_hotfixes` lets its
 * packages pass where the distribution's module would hide them.
 */
export function pgdgRepository(
  major: number,
  rhelMajor: number,
  machine: string,
  mirror: string | null,
): string {
  const lines = [
    '[pgclone-action-pgdg]',
    `name=PostgreSQL ${major}`,
    `baseurl=${mirrored(YUM, mirror)}/${major}/redhat/rhel-${rhelMajor}-${machine}`,
    'enabled=1',
    'gpgcheck=1',
    `gpgkey=file://${KEY_FILE}`,
    'module_hotfixes=1',
  ]
  return `${lines.join('\n')}\n`
}

/** The repository is there only while we install, as with apt. */
export function pgdgAttempt(major: number, folder: string): Attempt {
  return {
    name: `postgresql${major} from yum.postgresql.org`,
    commands: [
      placeFile(join(folder, 'key.asc'), KEY_FILE),
      placeFile(join(folder, 'pgdg.repo'), REPOSITORY_FILE),
      asRoot('dnf', '-y', '-q', 'install', `postgresql${major}`),
    ],
    cleanup: [asRoot('rm', '-f', REPOSITORY_FILE, KEY_FILE)],
  }
}

/** The distribution's best major, that of PostgreSQL's repository, and then what else would serve. */
export async function installWithDnf<T>(
  { preferred, reserve }: WantedMajors,
  system: System,
  options: ToolOptions,
  find: () => Promise<T | undefined>,
  failures: string[],
): Promise<T | undefined> {
  const [best, ...others] = [...preferred, ...reserve] as [number, ...number[]]
  const fromDistribution = (majors: number[]) =>
    tryInOrder(majors.flatMap(dnfAttempts), options, find, failures)
  return (
    (await fromDistribution([best])) ??
    (await installFromPgdg(best, system, options, find, failures)) ??
    (await fromDistribution(others))
  )
}

async function installFromPgdg<T>(
  major: number,
  { rhelMajor }: System,
  options: ToolOptions,
  find: () => Promise<T | undefined>,
  failures: string[],
): Promise<T | undefined> {
  const source = PGDG[options.environment.arch]
  if (rhelMajor === null || !source) return undefined
  return withStaging(options.environment, async (folder) => {
    try {
      await fetchKey(source, join(folder, 'key.asc'), options)
    } catch (error) {
      options.signal?.throwIfAborted()
      failures.push((error as Error).message)
      return undefined
    }
    const repository = pgdgRepository(major, rhelMajor, source.machine, options.downloadBaseUrl)
    await writeFile(join(folder, 'pgdg.repo'), repository)
    return tryInOrder([pgdgAttempt(major, folder)], options, find, failures)
  })
}

/** @throws unless the file holds the key with the fingerprint that we know, and no other. */
async function fetchKey(
  { key, fingerprint }: { key: string; fingerprint: string },
  file: string,
  options: ToolOptions,
): Promise<void> {
  const url = `${YUM}/keys/${key}`
  await download(url, file, options)
  const found = fingerprintOf(await readFile(file, 'latin1'))
  if (found !== fingerprint) throw new Error(`${url} is the key ${found} and not ${fingerprint}`)
}
