import { realpath } from 'node:fs/promises'
import { basename } from 'node:path'
import { findProgram, pathFolders } from '../../process/find-program.ts'
import { matching } from '../matching.ts'
import type { ToolEnvironment } from '../options.ts'
import { askVersion } from '../program-version.ts'
import type { PostgresClient } from './choose-client.ts'

const PROGRAMS = ['pg_dump', 'pg_restore', 'psql'] as const

/** A broken program may hang. */
const VERSION_TIMEOUT_SECONDS = 20

/** Where Homebrew has its packages on Apple silicon, Intel and Linux. Both formulas are keg-only, so they are not on PATH. */
const HOMEBREW = ['opt/homebrew', 'usr/local', 'home/linuxbrew/.linuxbrew'].flatMap((prefix) => [
  `${prefix}/opt/postgresql@*/bin`,
  `${prefix}/opt/libpq/bin`,
])

/** Where packages put the programs of one major. Relative to the root of the file system. */
const INSTALL_FOLDERS: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  // Debian and PostgreSQL's apt repository, PostgreSQL's yum repository, Alpine.
  linux: ['usr/lib/postgresql/*/bin', 'usr/pgsql-*/bin', 'usr/libexec/postgresql*', ...HOMEBREW],
  // EnterpriseDB's installer and Postgres.app.
  darwin: [...HOMEBREW, 'Library/PostgreSQL/*/bin', 'Applications/Postgres.app/Contents/Versions/[0-9]*/bin'],
  win32: ['Program Files/PostgreSQL/*/bin'],
}

/**
 * Returns every client of this machine once, those in known folders first and those on PATH after them.
 * Debian's /usr/bin/pg_dump is left out: it is `pg_wrapper`, which chooses the major itself.
 */
export async function findPostgresClients(environment: ToolEnvironment): Promise<PostgresClient[]> {
  const { platform, env, root } = environment
  const directories = [
    ...(await matching(root, INSTALL_FOLDERS[platform] ?? [])),
    // GitHub's Windows image names the folder of its client in PGBIN.
    ...(env.PGBIN ? [env.PGBIN] : []),
    ...pathFolders(env),
  ]
  const seen = new Set<string>()
  const found: string[] = []
  for (const directory of directories) {
    const program = await findProgram(directory, 'pg_dump')
    const file = program && (await realpath(program).catch(() => null))
    if (!file || seen.has(file) || basename(file) === 'pg_wrapper') continue
    seen.add(file)
    found.push(directory)
  }
  const clients = await Promise.all(found.map((directory) => inspect(directory, environment)))
  return clients.filter((client) => client !== null)
}

/** A folder holds a client when all three programs are there, work, and are of one major. */
async function inspect(directory: string, environment: ToolEnvironment): Promise<PostgresClient | null> {
  const programs = await Promise.all(PROGRAMS.map((name) => findProgram(directory, name)))
  if (!programs.every((program) => program !== null)) return null
  const versions = await Promise.all(programs.map((program) => postgresVersion(program, environment)))
  const majors = new Set(versions.map((version) => Number.parseInt(version, 10)))
  const [major] = majors
  if (majors.size !== 1 || !major) return null
  const [pgDump, pgRestore, psql] = programs as [string, string, string]
  return { directory, major, version: versions[0]!, pgDump, pgRestore, psql }
}

/** Returns `15.18` from `pg_dump (PostgreSQL) 15.18 (Debian …)`, empty when the program does not work. */
async function postgresVersion(program: string, environment: ToolEnvironment): Promise<string> {
  const answer = await askVersion(program, VERSION_TIMEOUT_SECONDS, environment)
  return /\(PostgreSQL\) (\d+[\w.]*)/.exec(answer ?? '')?.[1] ?? ''
}
