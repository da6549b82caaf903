import { setTimeout as sleep } from 'node:timers/promises'
import { OWN_COMMANDS } from '../faults/harm.ts'
import { type ActionRun, runPost, type StartedAction } from '../support/action.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { descendants, family, kill } from '../support/processes.ts'
import type { Operation, Victim } from './operations.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

/** One crash, and what is wrong after it. */
export type Outcome = {
  operation: string
  victim: Victim
  /** Milliseconds from the start of the step. */
  moment: number
  /** Whether the step still ran when its time came. */
  hit: boolean
  /** How the step ended: its exit code, or the signal. */
  end: string
  error: string
  /** Whether a later run had to sweep. */
  swept: boolean
  /** What breaks one of the five properties, one line each. */
  problems: string[]
}

const PROGRAMS: Partial<Record<Victim, RegExp>> = {
  pg_dump: /(^|\/)pg_dump$/,
  pg_restore: /(^|\/)pg_restore$/,
  psql: /(^|\/)psql$/,
  aws: /(^|\/)aws$/,
}

/** How long a step takes, as far as we have seen it; the moments are spread over that. */
const durations = new Map<Operation, number>()

/** Starts an operation, kills its victim at some moment, and looks at everything that is left. */
export async function playRound(
  world: World,
  operation: Operation,
  victim: Victim,
  random: Random,
): Promise<Outcome> {
  const { bench, key } = world
  await world.reset()
  const expected = durations.get(operation) ?? (operation.place === 's3' ? 3000 : 1200)
  const moment = Math.round(random.next() * expected)
  const inputs = operation.inputs({ key, sourceUrl: bench.postgres.url('app') })
  const command = inputs.command === 'restore' ? 'restore' : 'list'
  const action = bench.start(command, operation.place, operation.database, inputs)
  const hit = await strike(world, action, victim, { moment, random })
  const run = await action.done
  durations.set(operation, hit ? Math.max(expected, moment) : run.durationMs)
  if (victim === 'server' && hit) await bench.postgres.restart()
  // The runner runs the post step, unless it is the runner that died.
  if (victim !== 'runner') await runPost(run)
  const outcome = { operation: `${operation.name} (${operation.place})`, victim, moment, hit }
  const end = run.signal ?? `exit code ${run.exitCode}`
  return { ...outcome, end, error: run.errors.join(' | '), ...(await judge(world, operation, victim, run)) }
}

/** Not one that is only asked for its version, which is nothing but a client that does not work. */
function isProgram(argv: string[], pattern: RegExp): boolean {
  return argv.slice(0, 2).some((arg) => pattern.test(arg)) && !argv.includes('--version')
}

/** @returns whether there was something to kill */
async function strike(
  { bench }: World,
  action: StartedAction,
  victim: Victim,
  { moment, random }: { moment: number; random: Random },
): Promise<boolean> {
  let over = false
  void action.done.finally(() => {
    over = true
  })
  await Promise.race([sleep(moment), action.done])
  for (; !over; await sleep(5)) {
    if (victim === 'server') await bench.postgres.kill()
    else if (victim === 'runner') action.kill()
    else if (victim === 'action') kill(action.pid, 'SIGKILL')
    else {
      const found = descendants(action.pid).filter(({ argv }) => isProgram(argv, PROGRAMS[victim]!))
      if (found.length === 0) continue
      kill(random.pick(found).pid, 'SIGKILL')
    }
    return true
  }
  return false
}

async function judge(world: World, operation: Operation, victim: Victim, run: ActionRun) {
  await childrenEnd(run)
  const problems = [...(await judgeResult(world, operation, run)), ...(await world.findDamage())]
  const left = await leftovers(world, victim, run)
  if (left.length > 0) await world.sweep()
  const stillLeft = left.length > 0 ? await leftovers(world, victim, run) : []
  const foreign = run.commands.filter(({ name }) => !OWN_COMMANDS.includes(name))
  return {
    swept: left.length > 0,
    problems: [...problems, ...stillLeft, ...foreign.map(({ line }) => `the runner would obey: ${line}`)],
  }
}

/** Success is proven, failure has a reason, and no database is a mix. */
async function judgeResult(world: World, operation: Operation, run: ActionRun): Promise<string[]> {
  const problems: string[] = []
  const live = await world.stateOf('live')
  const doomed = await world.stateOf('doomed')
  const succeeded = run.exitCode === 0
  const check = (holds: boolean, problem: string) => void (holds || problems.push(problem))
  check(['old', 'new'].includes(live), `live is ${live}`)
  check(['old', 'gone'].includes(doomed), `doomed is ${doomed}`)
  check((await world.stateOf('app')) === 'new', 'the source is not what it was')
  if (operation.database === 'live' && succeeded) check(live === 'new', `success, and live is ${live}`)
  if (operation.database === 'doomed' && succeeded) check(doomed === 'gone', 'success, and doomed is there')
  if (run.exitCode === 1) {
    check(run.errors.length === 1, `${run.errors.length} reasons: ${run.errors.join(' | ')}`)
    check(Object.keys(run.outputs).length === 0, `a failed step gives ${JSON.stringify(run.outputs)}`)
    const told = /never a mix|in place|committed/.test(run.errors[0] ?? '')
    if (operation.database === 'live') check(live === 'old' || told, `live is new, and: ${run.errors[0]}`)
  }
  return problems
}

/** What we started ends by itself when we are gone. */
async function childrenEnd(run: ActionRun): Promise<void> {
  for (let tries = 0; tries < 300 && family(run.pid, run.marker).length > 0; tries += 1) await sleep(50)
}

async function leftovers({ bench, databases }: World, victim: Victim, run: ActionRun): Promise<string[]> {
  const { postgres, s3, folder } = bench
  const known = [
    ...databases,
    ...(await postgres.databases()).filter((name) => name.startsWith('pgclone_template_')),
  ]
  const found = await findLeftovers({ run, postgres, databases: known, s3, folder })
  // A vanished machine takes its temporary files along; data without a manifest stay, and are nobody's dump.
  const allowed = victim === 'runner' ? /^(file pgclone-|(file|object) .*\.dump is left)/ : /^$/
  return found.filter((line) => !allowed.test(line))
}
