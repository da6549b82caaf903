/** PostgreSQL's own `regression` database: what its regression tests leave behind. */
import { execFile } from 'node:child_process'
import { chownSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { nobody, type Postgres } from '../../lab/postgres/postgres.ts'
import { installServer } from '../../lab/postgres/postgres-install.ts'
import type { PostgresClient } from '../../src/tools/postgres/provide-client.ts'
import { copyTests, type Release } from './packages.ts'

const run = promisify(execFile)

/** A test of another major than the server may wait for something that never comes. */
const TEST_TIMEOUT = 300_000

/** What the builders of databases get. */
export interface Site {
  postgres: Postgres
  /** The npm package of the server. */
  serverPackage: string
  client: PostgresClient
  release: Release
  /** The headers of the server's own major; without them its C functions are left out. */
  headers: string | null
  /** A folder that the server's user may read. */
  folder: string
}

/**
 * Creates the database as `pg_regress` does and runs the tests in the order of their schedule, one at a time. Most
 * tests contain statements that must fail, so errors are not looked at.
 */
export async function buildRegression(site: Site, database: string): Promise<void> {
  const { postgres, client } = site
  await postgres.createDatabase(database, "template template0 encoding 'UTF8'")
  // pg_regress.c, create_database().
  for (const setting of ['lc_messages', 'lc_monetary', 'lc_numeric', 'lc_time'])
    await postgres.psql('postgres', `alter database ${database} set ${setting} to 'C'`)
  await postgres.psql('postgres', `alter database ${database} set bytea_output to 'hex'`)
  await postgres.psql('postgres', `alter database ${database} set timezone_abbreviations to 'Default'`)
  const tests = copyTests(site.release, site.folder)
  const results = join(tests, 'results')
  mkdirSync(results)
  const owner = process.getuid?.() === 0 ? nobody() : undefined
  if (owner) chownSync(results, owner.uid, owner.gid)
  const env = {
    ...{ PATH: process.env.PATH, ...postgres.env(database) },
    ...{
      PG_ABS_SRCDIR: tests,
      PG_ABS_BUILDDIR: tests,
      PG_DLSUFFIX: '.so',
      PG_LIBDIR: await buildLibrary(site, tests),
    },
    ...{ LANG: 'C', LC_MESSAGES: 'C', PGTZ: 'America/Los_Angeles', PGDATESTYLE: 'Postgres, MDY' },
    PGOPTIONS: '-c intervalstyle=postgres_verbose',
  }
  for (const test of schedule(tests)) {
    const args = ['-X', '-q', '-f', `sql/${test}.sql`]
    const options = { cwd: tests, env, timeout: TEST_TIMEOUT, maxBuffer: 1 << 30 }
    await run(client.psql, args, options).catch((error) => {
      if (error.killed) console.log(`  ${test}.sql did not end in time and is left out`)
    })
    await untilReady(postgres)
  }
}

/** A test for a bug that the server still has ends in a crash, after which the server recovers by itself. */
async function untilReady(postgres: Postgres): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await postgres.psql('postgres', 'select')
      return
    } catch (error) {
      if (attempt === 600) throw error
      await sleep(100)
    }
  }
}

/** The tests of `parallel_schedule` that there are. */
function schedule(tests: string): string[] {
  const lines = readFileSync(join(tests, 'parallel_schedule'), 'utf8').matchAll(/^test:(.*)$/gm)
  const known = new Set(readdirSync(join(tests, 'sql')).map((file) => file.replace(/\.sql$/, '')))
  return [...lines].flatMap((line) => line[1]!.trim().split(/\s+/)).filter((test) => known.has(test))
}

/** Compiles `regress.so` for the server, beside the two libraries of its own that the tests load as well. */
async function buildLibrary({ headers, serverPackage }: Site, tests: string): Promise<string> {
  const own = join(installServer(serverPackage), '../lib/postgresql')
  for (const library of ['autoinc.so', 'refint.so']) symlinkSync(join(own, library), join(tests, library))
  if (headers) {
    const args = ['-shared', '-fPIC', '-O1', '-w', `-I${headers}`, '-o', 'regress.so', 'regress.c']
    await run('gcc', args, { cwd: tests })
  }
  return tests
}
