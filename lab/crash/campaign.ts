import type { World } from './crash-bench.ts'
import { KINDS, type Kind, OPERATIONS, type Operation, type Victim, victimsOf } from './operations.ts'
import { Random } from './random.ts'
import { type Outcome, playRound } from './round.ts'

/** What of its time is left to a crash at each try, because a step may be over before its moment comes; then it is at once. */
const TRIES = [1, 1 / 2, 0]

/**
 * Plays the given number of crashes: the kinds take turns, and each of them takes its ways and victims in turn. The seed decides on
 * their order and on the moments.
 */
export async function campaign(
  world: World,
  { rounds, seed, kinds = KINDS }: { rounds: number; seed: number; kinds?: readonly Kind[] },
  onOutcome: (outcome: Outcome) => void,
): Promise<Outcome[]> {
  const random = new Random(seed)
  const turns = kinds.map((kind) => turnsOf(kind, random))
  const outcomes: Outcome[] = []
  for (let round = 0; round < rounds; round += 1) {
    const turn = turns[round % turns.length]!
    const [operation, victim] = turn[Math.floor(round / turns.length) % turn.length]!
    for (const share of TRIES) {
      const outcome = await playRound(world, operation, victim, { random, share })
      outcomes.push(outcome)
      onOutcome(outcome)
      if (outcome.hit) break
    }
  }
  return outcomes
}

/**
 * Every victim once, without a store where that is possible; then every pair of way and victim; and then mostly those
 * without a store again, which take a third of the time.
 */
function turnsOf(kind: Kind, random: Random): [Operation, Victim][] {
  const all = OPERATIONS.filter((one) => one.kind === kind).flatMap((operation) =>
    operation.victims.map((victim): [Operation, Victim] => [operation, victim]),
  )
  const quick = all.filter(([{ place }]) => place === 'folder')
  const shuffled = [...random.shuffle(quick), ...random.shuffle(all)]
  const first = shuffled.filter(
    ([, victim], index) => index === shuffled.findIndex(([, one]) => one === victim),
  )
  const rest = all.filter((pair) => !first.includes(pair))
  const often = all.filter(([{ place }, victim]) => place === 'folder' || victim === 'aws')
  return [first, ...[rest, often, quick, quick].map((pairs) => random.shuffle(pairs))].flat()
}

/** How often each victim of each kind was hit. */
export function countHits(outcomes: readonly Outcome[]): Map<Kind, Map<Victim, number>> {
  const hits = new Map<Kind, Map<Victim, number>>()
  for (const kind of KINDS.filter((one) => outcomes.some(({ operation }) => operation.kind === one))) {
    const count = (victim: Victim) =>
      outcomes.filter((one) => one.operation.kind === kind && one.victim === victim && one.hit).length
    hits.set(kind, new Map(victimsOf(kind).map((victim) => [victim, count(victim)])))
  }
  return hits
}

/** A line for each kind: `crashes of drop: action 5, runner 5, psql 5, server 5`. */
export function describeHits(outcomes: readonly Outcome[]): string[] {
  return [...countHits(outcomes)].map(
    ([kind, row]) =>
      `crashes of ${kind}: ${[...row].map(([victim, count]) => `${victim} ${count}`).join(', ')}`,
  )
}

/** An outcome in a line. */
export function describeOutcome(outcome: Outcome): string {
  const { operation, victim, moment, hit, end, error, swept, problems } = outcome
  const { kind, way, place } = operation
  const what = hit ? `${victim} killed after ${moment} ms` : `${victim}: the step was faster`
  const words = [`${[kind, way].filter(Boolean).join(' ')} (${place}): ${what}; ${end}`, error]
  return [...words, swept ? 'swept later' : '', ...problems].filter(Boolean).join('; ')
}
