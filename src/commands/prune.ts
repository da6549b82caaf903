import { selectionOf } from '../step/open-storage.ts'
import type { Step } from '../step/step.ts'
import { pruneDumps } from '../storage/prune-dumps.ts'
import { scopeOf } from '../storage/series.ts'
import { type Outcome, pruneOutputs } from '../summary/outcome.ts'
import { pruneSummary } from '../summary/storage-summary.ts'

/** Deletes the dumps that no keep rule keeps. */
export async function prune(step: Step): Promise<Outcome> {
  const { inputs, signal } = step
  const storage = await step.storage()
  const scope = scopeOf(selectionOf(inputs))
  const pruned = await pruneDumps(storage, scope, { ...inputs, signal })
  return { outputs: pruneOutputs(pruned), summary: [pruneSummary(pruned, storage.address(scope.folder))] }
}
