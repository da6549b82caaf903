import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../command.ts'
import { mirrored } from '../download.ts'
import type { Attempt } from '../install.ts'
import type { ToolOptions } from '../options.ts'
import { APT_UPDATE, aptGet, aptInstall, asRoot, packageAttempts, placeFile } from '../packages.ts'
import { withStaging } from '../tool-directory.ts'
import type { WantedMajors } from './choose-client.ts'
import { PGDG_KEY } from './pgdg-key.ts'

const KEY_FILE = '/etc/apt/keyrings/pgclone-action-pgdg.asc'
const SOURCE_FILE = '/etc/apt/sources.list.d/pgclone-action-pgdg.list'

/** The source line of PostgreSQL's own apt repository (https://wiki.postgresql.org/wiki/Apt), which only its own key may sign. */
export function pgdgSource(codename: string, mirror: string | null): string {
  const repository = mirrored('https://apt.postgresql.org/pub/repos/apt', mirror)
  return `deb [signed-by=${KEY_FILE}] ${repository} ${codename}-pgdg main\n`
}

/** The majors for which `apt-cache policy` names a candidate. */
export function majorsInPolicy(policy: string): number[] {
  const candidate = /^postgresql-client-(\d+):\n(?:.*\n)? *Candidate: (?!\(none\))/gm
  return [...policy.matchAll(candidate)].map((match) => Number(match[1]))
}

/**
 * The ways to get a client with apt, best first: a preferred major of the distribution, the best major of PostgreSQL's
 * repository, and then another major of the distribution.
 *
 * @param available majors that the configured repositories have
 * @param folder    holds the key and the source list, as `withPgdgFiles` makes them
 */
export function aptAttempts(majors: WantedMajors, available: readonly number[], folder: string): Attempt[] {
  const packaged = (wanted: readonly number[]) =>
    wanted
      .filter((major) => available.includes(major))
      .slice(0, 1)
      .flatMap((major) => packageAttempts('apt', `postgresql-client-${major}`))
  return [
    ...packaged(majors.preferred),
    pgdgAttempt(majors.preferred[0]!, folder),
    ...packaged(majors.reserve),
  ]
}

/** Reads the list of PostgreSQL's repository only, which is fast; no failure of another repository matters. */
const PGDG_UPDATE = aptGet([
  'update',
  ...['-o', `Dir::Etc::SourceList=${SOURCE_FILE}`, '-o', 'Dir::Etc::SourceParts=-'],
  ...['-o', 'APT::Get::List-Cleanup=0', '-o', 'APT::Update::Error-Mode=any'],
])

/** The repository is configured only during the installation, so that it cannot clash with one that the user adds later. */
function pgdgAttempt(major: number, folder: string): Attempt {
  return {
    name: `postgresql-client-${major} from apt.postgresql.org`,
    commands: [
      aptInstall('ca-certificates'),
      placeFile(join(folder, 'key.asc'), KEY_FILE),
      placeFile(join(folder, 'source.list'), SOURCE_FILE),
      PGDG_UPDATE,
      aptInstall(`postgresql-client-${major}`),
    ],
    cleanup: [asRoot('rm', '-f', SOURCE_FILE, KEY_FILE)],
  }
}

/** Asks apt which of the majors it has, with fresh package lists when it has none of the preferred ones. */
export async function availableMajors(
  { preferred, reserve }: WantedMajors,
  options: ToolOptions,
): Promise<number[]> {
  const packages = [...preferred, ...reserve].map((major) => `postgresql-client-${major}`)
  const ask = async () => {
    const result = await runCommand({ file: 'apt-cache', args: ['policy', ...packages] }, options)
    return result.ok ? majorsInPolicy(result.stdout) : []
  }
  const known = await ask()
  if (preferred.some((major) => known.includes(major))) return known
  options.log('Updating the package lists …')
  const updated = await runCommand(APT_UPDATE, options)
  if (!updated.ok) options.log(updated.reason)
  return ask()
}

/** Runs `work` with a folder that holds the files of PostgreSQL's repository. */
export function withPgdgFiles<T>(
  codename: string,
  { environment, downloadBaseUrl }: ToolOptions,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  return withStaging(environment, async (folder) => {
    await writeFile(join(folder, 'key.asc'), PGDG_KEY.armored)
    await writeFile(join(folder, 'source.list'), pgdgSource(codename, downloadBaseUrl))
    return work(folder)
  })
}
