import type { Inputs } from '../../../lab/benches/action-bench.ts'
import { type ActionRun, runAction } from '../../../lab/runner/action.ts'
import { keyAt } from '../../../lab/sample-dumps.ts'

export const DAYS = Array.from({ length: 6 }, (_, day) => `2026-01-0${day + 1}T02:00:00`)

/** Six nights of one database, newest first. */
export const NIGHTS = DAYS.map((time) => keyAt(time)).reverse()

/** The dumps and their manifests. */
export const both = (keys: readonly string[]) => keys.flatMap((key) => [key, `${key}.json`])

export const prune = (inputs: Inputs) => runAction({ command: 'prune', 'install-tools': 'never', ...inputs })

/** The outputs as lists of keys. */
export function outcome({ outputs }: ActionRun): { deleted: string[]; kept: string[] } {
  return { deleted: JSON.parse(outputs.deleted!), kept: JSON.parse(outputs.kept!) }
}
