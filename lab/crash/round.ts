import { setTimeout as sleep } from 'node:timers/promises'
import { allGone } from '../benches/lifecycle-bench.ts'
import { OWN_COMMANDS } from '../benches/witness.ts'
import { findLeftovers } from '../leftovers.ts'
import { descendants, family, kill } from '../processes.ts'
import { type ActionRun, runPost, type StartedAction } from '../runner/action.ts'
import type { World } from './crash-bench.ts'
import type { Operation, Victim } from './operations.ts'
import type { Random } from './random.ts'

/** One crash, and what is wrong after it. */
export type Outcome = {
  operation: Operation
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

/** From when to when somebody is there to be killed, in milliseconds from the start of the step. */
type Span = readonly [first: number, last: number]

/** What steps did that nobody disturbed. */
const rehearsals = new Map<Operation, Map<Victim, Span>>()

/** Starts an operation, kills its victim at some moment, and looks at everything that is left. */
export async function playRound(
  world: World,
  operation: Operation,
  victim: Victim,
  { random, share }: { random: Random; share: number },
): Promise<Outcome> {
  const spans = await rehearse(world, operation)
  const [first, last] = spans.get(victim)!
  const moment = Math.round((first + random.next() * (last - first)) * share)
  const action = start(world, operation)
  const struck = await strike(world, action, victim, { moment, random })
  const run = await action.done
  // One that ended by itself in the very moment was not killed.
  const hit = struck && (run.signal !== null || !['action', 'runner'].includes(victim))
  if (!hit) spans.set(victim, [Math.min(first, moment), moment])
  if (victim === 'server' && hit) await world.bench.postgres.restart()
  // The runner runs the post step, unless it is the runner that died.
  if (victim !== 'runner') await runPost(run)
  const end = run.signal ?? `exit code ${run.exitCode}`
  const seen = await judge(world, operation, victim, run)
  await world.renew(operation.database)
  return { ...{ operation, victim, moment, hit, end }, error: run.errors.join(' | '), ...seen }
}

function start({ bench, key }: World, { place, database, inputs }: Operation): StartedAction {
  const more = inputs({ key, sourceUrl: bench.postgres.url('app') })
  return bench.start(more.command === 'restore' ? 'restore' : 'list', place, database, more)
}

/** Plays an operation once without a crash, to know when each victim can be killed. */
async function rehearse(world: World, operation: Operation): Promise<Map<Victim, Span>> {
  const known = rehearsals.get(operation)
  if (known) return known
  const begin = performance.now()
  const action = start(world, operation)
  const seen = new Map<Victim, Span>()
  for (; isRunning(action); await sleep(10)) {
    const now = performance.now() - begin
    const all = descendants(action.pid)
    for (const victim of operation.victims)
      if (targets(action, victim, all).length > 0) seen.set(victim, [seen.get(victim)?.[0] ?? now, now])
  }
  const { durationMs } = await action.done
  await world.renew(operation.database)
  const spans = new Map<Victim, Span>()
  for (const victim of operation.victims) {
    // Who came and went between two looks may come at any time. The first time is slower than the next ones.
    const [first, last] = seen.get(victim) ?? [0, durationMs]
    spans.set(victim, [first * 0.85, last * 0.85])
  }
  rehearsals.set(operation, spans)
  return spans
}

const isRunning = ({ child }: StartedAction) => child.exitCode === null && child.signalCode === null

/** The processes that are one victim; with the server, the step that goes on meanwhile. */
function targets({ pid }: StartedAction, victim: Victim, all = descendants(pid)): number[] {
  const pattern = PROGRAMS[victim]
  return pattern ? all.filter(({ argv }) => isProgram(argv, pattern)).map((one) => one.pid) : [pid]
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
  await Promise.race([sleep(moment), action.done])
  for (; isRunning(action); await sleep(5)) {
    const found = targets(action, victim)
    if (found.length === 0) continue
    if (victim === 'server') await bench.postgres.kill()
    else if (victim === 'runner') action.kill()
    else kill(random.pick(found), 'SIGKILL')
    return true
  }
  return false
}

async function judge(world: World, operation: Operation, victim: Victim, run: ActionRun) {
  await childrenEnd(run)
  // What the server was told last it finishes without us.
  await allGone(world.bench)
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
  let doomed = await world.stateOf('doomed')
  if (doomed === 'half gone' && operation.kind === 'drop') {
    // A server that dies in the midst of it lets nobody in any more. The same step, run again, does the rest.
    await start(world, operation).done
    doomed = await world.stateOf('doomed')
  }
  const succeeded = run.exitCode === 0
  const check = (holds: boolean, problem: string) => void (holds || problems.push(problem))
  check(['old', 'new'].includes(live), `live is ${live}`)
  check(['old', 'gone'].includes(doomed), `doomed is ${doomed}`)
  // Nothing else looks at the source, and reading all of it takes time.
  if (['dump', 'copy'].includes(operation.kind))
    check((await world.stateOf('app')) === 'new', 'the source is not what it was')
  if (operation.database === 'live' && succeeded) check(live === 'new', `success, and live is ${live}`)
  if (operation.database === 'doomed' && succeeded) check(doomed === 'gone', 'success, and doomed is there')
  if (run.exitCode === 1) {
    check(run.errors.length === 1, `${run.errors.length} reasons: ${run.errors.join(' | ')}`)
    const { report = '{}', ...outputs } = run.outputs
    check(Object.keys(outputs).length === 0, `a failed step gives ${JSON.stringify(outputs)}`)
    check(JSON.parse(report).status === 'failure', `a failed step reports ${report}`)
    const told = /never a mix|in place|committed/.test(run.errors[0] ?? '')
    if (operation.database === 'live') check(live === 'old' || told, `live is new, and: ${run.errors[0]}`)
  }
  return problems
}

/** What we started ends by itself when we are gone. */
async function childrenEnd(run: ActionRun): Promise<void> {
  for (let tries = 0; tries < 2400 && family(run.pid, run.marker).length > 0; tries += 1) await sleep(50)
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
