/**
 * `npm run bench` times the action and the usual ways of doing the same on one machine, and writes docs/performance.md.
 * `npm run bench -- WORD …` runs the contests with one of the words in their names and only prints the result.
 *
 * `--scale 0.1` makes all databases smaller and `--rounds N` sets the rounds of all contests; both only print. `--page`
 * writes the page again from the last whole run, with new notes.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { passShim } from '../lab/pass-shim.ts'
import { compete } from './contest.ts'
import { allContests } from './contests.ts'
import { NOTES } from './notes.ts'
import { describeRun, headlineOf, type Run, writtenPage } from './page.ts'
import { World } from './world.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const PAGE = join(root, 'docs/performance.md')
/** The whole run that the page shows. */
const LAST_RUN = join(root, 'bench/last-run.json')

const { values: options, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    scale: { type: 'string', default: '1' },
    rounds: { type: 'string' },
    page: { type: 'boolean', default: false },
  },
})

async function runContests(): Promise<Run> {
  const contests = allContests().filter(
    ({ id }) => words.length === 0 || words.some((word) => id.includes(word)),
  )
  if (contests.length === 0) {
    const names = allContests().map(({ id }) => id)
    throw new Error(`No contest has ${words.join(' or ')} in its name; there are ${names.join(', ')}`)
  }
  await using world = await World.start(Number(options.scale))
  const outcomes: Run['outcomes'] = []
  for (const contest of contests) {
    await world.provide(contest.data)
    const results = await compete(contest, world, Number(options.rounds ?? contest.rounds))
    const { id, title } = contest
    outcomes.push({ id, title, headline: headlineOf(contest, results), results })
  }
  const machine = { cores: availableParallelism(), model: cpus()[0]!.model.trim() }
  return { machine, versions: world.versions, outcomes }
}

function writePage(run: Run): void {
  writeFileSync(PAGE, writtenPage(readFileSync(PAGE, 'utf8'), run, NOTES))
}

passShim()
if (!existsSync(join(root, 'dist/index.js')))
  throw new Error('dist/index.js is missing, and the benchmark runs it: run "npm run build" first')
if (options.page) {
  writePage(JSON.parse(readFileSync(LAST_RUN, 'utf8')))
} else {
  const started = performance.now()
  const run = await runContests()
  console.log(describeRun(run, NOTES))
  console.log(`\nThe benchmark took ${Math.round((performance.now() - started) / 60_000)} minutes.`)
  const isWhole = words.length === 0 && options.scale === '1' && options.rounds === undefined
  if (isWhole) {
    writeFileSync(LAST_RUN, `${JSON.stringify(run, null, 2)}\n`)
    writePage(run)
  }
}
