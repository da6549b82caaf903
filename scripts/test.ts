/**
 * Runs the tests: `npm test`, or `npm test -- inputs storage/` for the files whose paths contain one of the words.
 * Looks first for the programs that the suite needs, and installs them on Debian and Ubuntu when we are root.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))

/** What the suite calls, and the Debian package that has it. */
const PROGRAMS = [
  { name: 'pg_dump', package: 'postgresql-client' },
  { name: 'pg_restore', package: 'postgresql-client' },
  { name: 'psql', package: 'postgresql-client' },
  { name: 'aws', package: 'awscli' },
  { name: 'pgbouncer', package: 'pgbouncer' },
]

/** Files at once: a test mostly waits for programs that it started, and those need the cores. */
const CONCURRENCY = Math.max(2, availableParallelism())

/** No test takes nearly as long; one that hangs must not hold CI to the end of its job. */
const LIMITS = ['--test-timeout=240000', '--import', join(root, 'lab/file-time-limit.ts')]

function missing(): typeof PROGRAMS {
  // Servers are in a folder that only root has in its PATH.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }
  return PROGRAMS.filter(({ name }) => spawnSync(name, ['--version'], { stdio: 'ignore', env }).status !== 0)
}

/** @throws an Error that says in one sentence what to install */
function provideTools(): void {
  if (!existsSync(join(root, 'dist/index.js'))) {
    throw new Error('dist/index.js is missing, and tests run it: run "npm run build" first')
  }
  const absent = missing()
  if (absent.length === 0) return
  const packages = [...new Set(absent.map((program) => program.package))].join(' ')
  if (process.getuid?.() === 0 && existsSync('/etc/debian_version')) aptInstall(packages.split(' '))
  const names = missing().map(({ name }) => name)
  if (names.length > 0) {
    throw new Error(
      `The tests need ${names.join(', ')}: install them first (on Debian and Ubuntu: apt-get install ${packages})`,
    )
  }
}

function aptInstall(packages: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const patient = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3']
  for (const args of [['update'], ['install', '--no-install-recommends', ...packages]]) {
    console.log(`Running apt-get ${args.join(' ')}`)
    spawnSync('apt-get', [...patient, ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  }
}

function testFiles(filters: readonly string[]): string[] {
  const all = globSync('__tests__/**/*.test.ts', { cwd: root }).sort()
  const unmatched = filters.filter((filter) => !all.some((file) => file.includes(filter)))
  if (unmatched.length > 0) throw new Error(`No test file has ${unmatched.join(' or ')} in its path`)
  return all.filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
}

/** The runner's closing counts, as it reports them. */
const COUNT = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/

/** Holds the closing counts back from the reporter. */
async function* withoutCounts(
  events: AsyncIterable<TestEvent>,
  counts: string[],
): AsyncGenerator<TestEvent, void> {
  for await (const event of events) {
    const isCount = event.type === 'test:diagnostic' && COUNT.test(event.data.message)
    if (isCount && event.data.nesting === 0) counts.push(event.data.message)
    else yield event
  }
}

/** @returns whether every test passed */
async function runTests(files: readonly string[]): Promise<boolean> {
  const stream = run({
    cwd: root,
    files: files.map((file) => join(root, file)),
    concurrency: CONCURRENCY,
    execArgv: LIMITS,
  })
  let success = false
  stream.on('test:summary', (summary) => {
    if (summary.file === undefined) success = summary.success
  })
  const counts: string[] = []
  await pipeline(withoutCounts(stream, counts), new spec(), process.stdout, { end: false })
  // Last, and in the form of TAP, so that whoever reads the log finds them.
  for (const count of counts) console.log(`# ${count}`)
  return success && counts.length > 0
}

try {
  const files = testFiles(process.argv.slice(2))
  provideTools()
  process.exitCode = (await runTests(files)) ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
