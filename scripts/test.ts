/** Runs the tests: `npm test`, or `npm test -- inputs storage/` for the files whose paths contain one of the words. */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, statfsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, dirname, join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))

/** Files at once: a test mostly waits for programs that it started, which now and then wait themselves. */
const CONCURRENCY = 1 + Math.max(2, availableParallelism())

/** They begin first, so that at the end no file runs alone for minutes. */
const SLOWEST = [
  'scenarios/crash/',
  'integration/storage/conformance',
  'integration/aws/role',
  'scenarios/lifecycle/template-cache',
  'project/recipes',
  'scenarios/faults/parallel',
  'integration/archive/',
  'scenarios/faults/',
  'scenarios/lifecycle/',
  'scenarios/e2e/',
  'unit/archive/archive',
]

/** A test that hangs must not hold CI to the end of its job; one on a busy machine never takes as long. */
const TEST_LIMIT_MS = 15 * 60_000

/** What the process of every test file gets. */
const OPTIONS = [
  `--test-timeout=${TEST_LIMIT_MS}`,
  ...['file-time-limit', 'network-guard'].flatMap((name) => ['--import', join(root, `lab/${name}.ts`)]),
]

function testFiles(filters: readonly string[]): string[] {
  const all = globSync('__tests__/**/*.test.ts', { cwd: root }).sort()
  const unmatched = filters.filter((filter) => !all.some((file) => file.includes(filter)))
  if (unmatched.length > 0) throw new Error(`No test file has ${unmatched.join(' or ')} in its path`)
  const chosen = all.filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  const rank = (file: string) => {
    const index = SLOWEST.findIndex((one) => file.includes(one))
    return index < 0 ? SLOWEST.length : index
  }
  return chosen.sort((a, b) => rank(a) - rank(b))
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
    execArgv: OPTIONS,
  })
  let success = false
  const durations = new Map<string, number>()
  stream.on('test:summary', ({ file, success: passed, duration_ms }) => {
    if (file === undefined) success = passed
    else durations.set(relative(root, file), duration_ms)
  })
  const counts: string[] = []
  await pipeline(withoutCounts(stream, counts), new spec(), process.stdout, { end: false })
  describeSlowest(durations)
  // Last, and in the form of TAP, so that readers of the log find them.
  for (const count of counts) console.log(`# ${count}`)
  return success && counts.length > 0
}

function describeDuration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** Prints the slowest files, which are where a slow suite can be improved. */
function describeSlowest(durations: ReadonlyMap<string, number>): void {
  const slow = [...durations].filter(([, duration]) => duration > 10_000).sort(([, a], [, b]) => b - a)
  for (const [file, duration] of slow) console.log(`${describeDuration(duration).padStart(12)}  ${file}`)
}

/** A file system in memory, where a new database of three hundred files costs half as much. */
const MEMORY = '/dev/shm'
/** Free bytes that it must have. */
const MEMORY_ROOM = 6e9

/** Tells whether the file system in memory has room, and lets the programs of tests run. */
function isRoomy(): boolean {
  if (!existsSync('/proc/mounts')) return false
  const mounts = readFileSync('/proc/mounts', 'utf8')
  const [, options] = new RegExp(`^\\S+ ${MEMORY} \\S+ (\\S+)`, 'm').exec(mounts) ?? []
  if (options === undefined || options.split(',').includes('noexec')) return false
  const { bavail, bsize } = statfsSync(MEMORY)
  return bavail * bsize >= MEMORY_ROOM
}

/** Puts the AWS CLI itself before a shim of pyenv, of which each start would start three shells first. */
function passShim(): void {
  const script = 'case $(command -v aws) in */shims/aws) pyenv which aws || : ;; esac'
  const program = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim()
  if (program !== '') process.env.PATH = `${dirname(program)}${delimiter}${process.env.PATH}`
}

passShim()
if (isRoomy()) process.env.PGCLONE_TEST_FOLDER ??= MEMORY
// Every file is a process, which would translate the same TypeScript again.
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/compile')

try {
  const files = testFiles(process.argv.slice(2))
  if (!existsSync(join(root, 'dist/index.js')))
    throw new Error('dist/index.js is missing, and tests run it: run "npm run build" first')
  const started = performance.now()
  process.exitCode = (await runTests(files)) ? 0 : 1
  console.log(`The tests took ${describeDuration(performance.now() - started)}.`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
