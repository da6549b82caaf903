import type { DataName } from './data.ts'
import { type Measured, median } from './measure.ts'
import type { World } from './world.ts'

/** One way of doing the work. */
export type Contender = {
  name: string
  /** It is not timed. */
  before?: (world: World) => Promise<void>
  run: (world: World) => Promise<Measured>
  /** Returns what the run stored, in bytes. */
  size?: (world: World) => number
  /** Whether this action does it. */
  ours: boolean
  /** A program that may not be installed. */
  needs?: 'pgcopydb'
}

/** Several ways of doing the same work, of which two are compared. */
export type Contest = {
  /** `npm run bench -- WORD` runs the contests with the word in this name. */
  id: string
  title: string
  data: DataName
  contenders: readonly Contender[]
  /** Rounds that count; a database that takes long gets fewer. */
  rounds: number
  /** The comparison that matters to a user: two contenders, and the start of a sentence that the ratio ends. */
  headline: { ours: string; peer: string; what: string } | null
  prepare?: (world: World) => Promise<void>
}

/** What a contender took, round by round. */
export type Result = {
  name: string
  ours: boolean
  seconds: number[]
  treePeak: number
  ownPeak: number
  size: number | null
  processor: Record<string, number>
}

/** Runs each contender once a round, so that a machine that slows down affects all of them alike. */
export async function compete(contest: Contest, world: World, rounds: number): Promise<Result[]> {
  const contenders = contest.contenders.filter(({ needs }) => needs === undefined || world.has(needs))
  const runs = contenders.map(() => [] as Measured[])
  const sizes = contenders.map((): number | null => null)
  await contest.prepare?.(world)
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      await contender.before?.(world)
      const measured = await contender.run(world)
      world.say(`${contest.id}, round ${round + 1}: ${contender.name}: ${measured.seconds.toFixed(2)} s`)
      runs[index]!.push(measured)
      sizes[index] = contender.size?.(world) ?? null
    }
  }
  return contenders.map(({ name, ours }, index) => ({
    name,
    ours,
    seconds: runs[index]!.map(({ seconds }) => seconds),
    treePeak: Math.max(...runs[index]!.map(({ treePeak }) => treePeak)),
    ownPeak: Math.max(...runs[index]!.map(({ ownPeak }) => ownPeak)),
    size: sizes[index]!,
    processor: runs[index]!.at(-1)!.processor,
  }))
}

/** Returns how long `ours` takes in relation to `peer`: the median of the ratios within each round. */
export function ratioOf(ours: Result, peer: Result): number {
  return median(ours.seconds.map((seconds, round) => seconds / peer.seconds[round]!))
}
