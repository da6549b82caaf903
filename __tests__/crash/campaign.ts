import { OPERATIONS, type Operation, type Victim } from './operations.ts'
import { Random } from './random.ts'
import { type Outcome, playRound } from './round.ts'
import { makeWorld } from './world.ts'

/**
 * Plays so many crashes. Every pair of operation and victim comes once before any comes again; the seed decides on
 * their order and on the moments.
 */
export async function campaign(
  options: { rounds: number; seed: number },
  onOutcome: (outcome: Outcome, number: number) => void,
): Promise<Outcome[]> {
  const random = new Random(options.seed)
  await using world = await makeWorld()
  const outcomes: Outcome[] = []
  for (const [operation, victim] of schedule(options.rounds, random)) {
    const outcome = await playRound(world, operation, victim, random)
    outcomes.push(outcome)
    onOutcome(outcome, outcomes.length)
  }
  return outcomes
}

function schedule(rounds: number, random: Random): [Operation, Victim][] {
  const pairs = OPERATIONS.flatMap((operation) =>
    operation.victims.map((victim): [Operation, Victim] => [operation, victim]),
  )
  const drawn: [Operation, Victim][] = []
  while (drawn.length < rounds) drawn.push(...random.shuffle(pairs))
  return drawn.slice(0, rounds)
}

/** An outcome in a line. */
export function describeOutcome({
  operation,
  victim,
  moment,
  hit,
  end,
  error,
  swept,
  problems,
}: Outcome): string {
  const what = hit ? `${victim} killed after ${moment} ms` : `${victim}: the step was faster`
  const words = [`${operation}: ${what}; ${end}`, error, swept ? 'swept later' : '', ...problems]
  return words.filter(Boolean).join('; ')
}
