/**
 * `npm run reliability`: runs the failure scenarios, once as the pipeline that people write by hand and once as the tests
 * of this action, and writes docs/reliability.md. Takes several minutes.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'
import { SCENARIOS } from '../lab/failure-scenarios.ts'
import { root } from '../lab/runner/action-inputs.ts'
import { DUMPS } from './reliability/naive-dumps.ts'
import { prepareStore, RESTORES } from './reliability/naive-restores.ts'
import { withNaiveWorld } from './reliability/naive-world.ts'
import { type Counts, page, type TestResult } from './reliability/page.ts'

/** Crashes of each kind of operation. */
const CRASH_ROUNDS = 20
/** Rounds of the tests that draw their inputs. */
const SEEDS = '1,2,3'

const NUMBERED = /^#\d\d /

const naive = await runNaively()
const { tests, counts } = await runTests()
writeFileSync(join(root, 'docs/reliability.md'), page({ naive, tests, counts }))
const failures = tests.filter(({ passed }) => !passed)
for (const { name } of failures) console.error(`Failed: ${name}`)
process.exitCode = failures.length === 0 ? 0 : 1

/** @returns what happened to the pipeline of each scenario that can be played without us */
function runNaively(): Promise<Map<number, string>> {
  return withNaiveWorld(async (world) => {
    const results = new Map<number, string>()
    const scripts = { ...DUMPS, ...RESTORES }
    for (const number of Object.keys(SCENARIOS).map(Number)) {
      const play = scripts[number]
      if (!play) continue
      await prepareStore(world, number)
      const result = await play(world).catch((error: Error) =>
        Promise.reject(new Error(`#${number}: ${error.message}`)),
      )
      results.set(number, result)
      console.log(`#${number} by hand: ${result}`)
    }
    return results
  })
}

async function runTests(): Promise<{ tests: TestResult[]; counts: Counts }> {
  const files = globSync('__tests__/**/*.test.ts', { cwd: root })
    .map((file) => join(root, file))
    .filter((file) => /#\d\d /.test(readFileSync(file, 'utf8')))
  Object.assign(process.env, { PGCLONE_CRASH_ROUNDS: String(CRASH_ROUNDS), SEEDS })
  const stream = run({ files, concurrency: 2, testNamePatterns: [/#\d\d /], timeout: 15 * 60_000 })
  const tests: TestResult[] = []
  const counts: Counts = { inputs: 0, crashes: [] }
  const record = (passed: boolean) => (data: { name: string; skip?: string | boolean }) => {
    if (!NUMBERED.test(data.name) || data.skip !== undefined) return
    tests.push({ name: data.name, passed })
    console.log(`${passed ? 'passed' : 'FAILED'}: ${data.name}`)
  }
  stream.on('test:pass', record(true))
  stream.on('test:fail', record(false))
  stream.on('test:diagnostic', ({ message }) => {
    counts.inputs += Number(/^bad inputs: (\d+)$/.exec(message)?.[1] ?? 0)
    const [, during, victims] = /^crashes of ([\w ]+): (.*)$/.exec(message) ?? []
    if (during && victims) counts.crashes.push({ during, victims: readVictims(victims) })
  })
  for await (const _ of stream);
  return { tests, counts }
}

/** `action 4, runner 4` */
function readVictims(text: string): Map<string, number> {
  const pairs = text.split(', ').map((pair) => pair.split(' ') as [string, string])
  return new Map(pairs.map(([victim, count]) => [victim, Number(count)]))
}
