import type { DatabaseRow } from '../database/databases.ts'
import type { Marker } from '../database/marker.ts'
import { isClone } from '../database/ownership.ts'
import { pullRequestNumbers } from './patterns.ts'

/** Which of the databases that this action made are dropped. */
export type Conditions = {
  patterns: readonly string[]
  now: number
  /** Milliseconds, or null. */
  olderThan: number | null
  /** The numbers of the open pull requests; null if they do not matter. */
  open: ReadonlySet<string> | null
  /** What the addresses of the runs of this repository begin with. */
  runsOf: string
}

/** Whether a database is dropped, and why. */
export type Verdict = { drop: boolean; reason: string }

/** Returns why a sweep never drops a database, or null for a live database that this action made under its present name. */
export function obstacleOf(database: DatabaseRow): string | null {
  const { name, marker, isTemplate } = database
  if (!marker) return 'was not made by this action'
  if (marker.kind === 'template') return 'is a template of instant previews'
  if (marker.kind === 'point') return `is a restore point of "${marker.of}"`
  if (marker.kind !== 'clone') return 'is the temporary database of a run'
  if (!isClone({ name, marker })) return `was made by this action as "${marker.of}", and renamed`
  return isTemplate ? 'is a template database of the server' : null
}

/** Decides about a database of this action. One condition that holds is enough. */
export function judge(name: string, marker: Marker, conditions: Conditions): Verdict {
  const verdicts = [
    judgeExpiry(marker, conditions),
    judgeAge(marker, conditions),
    judgePullRequest(name, marker, conditions),
  ].filter((verdict) => verdict !== null)
  const due = verdicts.find(({ drop }) => drop)
  return due ?? { drop: false, reason: verdicts.map(({ reason }) => reason).join(', ') }
}

function judgeExpiry({ expires }: Marker, { now }: Conditions): Verdict {
  if (expires === undefined) return { drop: false, reason: 'does not expire' }
  const drop = Date.parse(expires) <= now
  return { drop, reason: `${drop ? 'expired' : 'expires'} at ${expires}` }
}

function judgeAge({ at }: Marker, { now, olderThan }: Conditions): Verdict | null {
  if (olderThan === null) return null
  const drop = now - Date.parse(at) > olderThan
  return { drop, reason: drop ? `is older than older-than: made at ${at}` : `was made at ${at}` }
}

function judgePullRequest(name: string, { run }: Marker, conditions: Conditions): Verdict | null {
  const { open, patterns, runsOf } = conditions
  if (open === null) return null
  const stays = (reason: string) => ({ drop: false, reason })
  const numbers = pullRequestNumbers(name, patterns)
  if (numbers.length === 0) return stays('has no number of a pull request where the * is')
  // The numbers of another repository are other pull requests. A run outside GitHub names none.
  if (run !== '' && !run.toLowerCase().startsWith(runsOf.toLowerCase()))
    return stays(`was made for another repository, by ${run}`)
  const used = numbers.find((number) => open.has(number))
  if (used !== undefined) return stays(`pull request ${used} is open`)
  const which =
    numbers.length === 1 ? `pull request ${numbers[0]} is` : `pull requests ${numbers.join(' and ')} are`
  return { drop: true, reason: `${which} not open` }
}
