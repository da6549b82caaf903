/** Runs the tests: `npm test`, or `npm test -- inputs storage/` for the files whose paths contain one of the words. */
import { existsSync, globSync, readFileSync, statfsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'
import { passShim } from '../lab/pass-shim.ts'

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

/** The closing counts of the runner, which only cover its own run. */
const COUNT = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/

async function* withoutCounts(events: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent, void> {
  for await (const event of events) {
    const isCount = event.type === 'test:diagnostic' && COUNT.test(event.data.message)
    if (!isCount || event.data.nesting > 0) yield event
  }
}

type Result = Pick<Extract<TestEvent, { type: 'test:summary' }>['data'], 'success' | 'counts' | 'duration_ms'>

/** Runs the files and notes the result of each. */
async function runTests(
  files: readonly string[],
  concurrency: number,
  results: Map<string, Result>,
): Promise<void> {
  const stream = run({
    cwd: root,
    files: files.map((file) => join(root, file)),
    concurrency,
    execArgv: OPTIONS,
  })
  // A file that ends without a summary has failed.
  for (const file of files) results.delete(file)
  stream.on('test:summary', ({ file, ...result }) => {
    if (file !== undefined) results.set(relative(root, file), result)
  })
  await pipeline(withoutCounts(stream), new spec(), process.stdout, { end: false })
}

/** More failures than these are not an accident of timing. */
const MAX_UNSTEADY_FILES = 3

/**
 * Runs the tests. A few files that fail beside others run once more, alone: tests inject faults at moments that a busy machine
 * can miss. One that passes then is named as unsteady, which is a defect of the test or of what it tests.
 *
 * @returns whether every test passed
 */
async function testAll(files: readonly string[]): Promise<boolean> {
  const results = new Map<string, Result>()
  const failed = () => files.filter((file) => !results.get(file)?.success)
  await runTests(files, CONCURRENCY, results)
  const again = failed()
  if (again.length > 0 && again.length <= MAX_UNSTEADY_FILES) {
    console.log(`\nThese failed and run once more, alone: ${again.join(', ')}\n`)
    await runTests(again, 1, results)
  }
  const unsteady = again.filter((file) => results.get(file)?.success)
  describeSlowest(results)
  for (const file of unsteady) console.log(`UNSTEADY: ${file} failed at first and passed alone`)
  describeCounts([...results.values()], files.length - results.size)
  return failed().length === 0
}

/**
 * Prints the counts last, and in the form of TAP, so that readers of the log find them.
 *
 * @param broken files that ended before they reported tests; each counts as a failed test
 */
function describeCounts(results: readonly Result[], broken: number): void {
  const sum = (key: keyof Result['counts']) => results.reduce((total, { counts }) => total + counts[key], 0)
  const others = { cancelled: sum('cancelled'), skipped: sum('skipped'), todo: sum('todo') }
  const [tests, pass] = [sum('tests') + broken, sum('passed')]
  const fail = tests - pass - others.cancelled - others.skipped - others.todo
  for (const [name, count] of Object.entries({ tests, suites: sum('suites'), pass, fail, ...others }))
    console.log(`# ${name} ${count}`)
}

function describeDuration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** Prints the slowest files, which are where a slow suite can be improved. */
function describeSlowest(results: ReadonlyMap<string, Result>): void {
  const durations = [...results].map(([file, { duration_ms }]) => [file, duration_ms] as const)
  const slow = durations.filter(([, duration]) => duration > 10_000).sort(([, a], [, b]) => b - a)
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

passShim()
if (isRoomy()) process.env.PGCLONE_TEST_FOLDER ??= MEMORY
// Every file is a process, which would translate the same TypeScript again.
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/compile')

try {
  const files = testFiles(process.argv.slice(2))
  if (!existsSync(join(root, 'dist/index.js')))
    throw new Error('dist/index.js is missing, and tests run it: run "npm run build" first')
  const started = performance.now()
  process.exitCode = (await testAll(files)) ? 0 : 1
  console.log(`The tests took ${describeDuration(performance.now() - started)}.`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
