import { realpath } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { ToolEnvironment } from '../options.ts'
import { askVersion } from '../program-version.ts'
import { isFile, matching, pathDirectories, programName } from '../search-path.ts'
import { toolDirectories } from '../tool-directory.ts'
import type { PostgresClient } from './choose-client.ts'

/** Where Homebrew keeps its packages: on Apple silicon, on Intel, on Linux. Both formulas are keg-only, that is, not on PATH. */
const HOMEBREW = ['opt/homebrew', 'usr/local', 'home/linuxbrew/.linuxbrew'].flatMap((prefix) => [
  `${prefix}/opt/postgresql@*/bin`,
  `${prefix}/opt/libpq/bin`,
])

/** Where packages put the programs of one major. Relative to the root of the file system. */
const PATTERNS: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  // Debian and PostgreSQL's apt repository; PostgreSQL's yum repository; Alpine.
  linux: ['usr/lib/postgresql/*/bin', 'usr/pgsql-*/bin', 'usr/libexec/postgresql*', ...HOMEBREW],
  // EnterpriseDB's installer, and Postgres.app.
  darwin: [...HOMEBREW, 'Library/PostgreSQL/*/bin', 'Applications/Postgres.app/Contents/Versions/[0-9]*/bin'],
  win32: ['Program Files/PostgreSQL/*/bin'],
}

/**
 * Every client on this machine, each once, those of known places first and those of PATH after them.
 * Debian's /usr/bin/pg_dump is left out: it is `pg_wrapper`, which picks the major by rules of its own.
 */
export async function findPostgresClients(environment: ToolEnvironment): Promise<PostgresClient[]> {
  const { platform, env, root } = environment
  const directories = [
    ...(await matching(root, PATTERNS[platform] ?? [])),
    // Windows runners name the place of theirs in PGBIN.
    ...(env.PGBIN ? [env.PGBIN] : []),
    ...(
      await Promise.all(
        toolDirectories(environment).map((directory) => matching(directory, ['postgresql/*/bin'])),
      )
    ).flat(),
    ...pathDirectories(environment),
  ]
  const seen = new Set<string>()
  const found: string[] = []
  for (const directory of directories) {
    const real = await realpath(join(directory, programName('pg_dump', platform))).catch(() => null)
    if (!real || seen.has(real) || basename(real) === 'pg_wrapper') continue
    seen.add(real)
    found.push(directory)
  }
  const clients = await Promise.all(found.map((directory) => inspect(directory, environment)))
  return clients.filter((client) => client !== null)
}

/** A directory counts when the three programs are there, answer, and are of one major. */
async function inspect(directory: string, environment: ToolEnvironment): Promise<PostgresClient | null> {
  const at = (name: string) => join(directory, programName(name, environment.platform))
  const programs = [at('pg_dump'), at('pg_restore'), at('psql')]
  if (!(await Promise.all(programs.map(isFile))).every(Boolean)) return null
  const versions = await Promise.all(programs.map((program) => postgresVersion(program, environment)))
  const majors = new Set(versions.map((version) => Number.parseInt(version, 10)))
  const [major] = majors
  if (majors.size !== 1 || !major) return null
  const [pgDump, pgRestore, psql] = programs as [string, string, string]
  return { directory, major, version: versions[0]!, pgDump, pgRestore, psql }
}

/** `15.18` from `pg_dump (PostgreSQL) 15.18 (Debian …)`, empty when the program does not work. */
async function postgresVersion(program: string, environment: ToolEnvironment): Promise<string> {
  const answer = await askVersion(program, 20, environment)
  return /\(PostgreSQL\) (\d+[\w.]*)/.exec(answer ?? '')?.[1] ?? ''
}
