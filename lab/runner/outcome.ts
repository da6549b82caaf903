import assert from 'node:assert/strict'
import type { ActionRun } from './action.ts'

/** The run, which must have ended well and without an error. */
export function succeeded(run: ActionRun): ActionRun {
  assert.equal(run.exitCode, 0, run.log)
  assert.deepEqual(run.errors, [], run.log)
  return run
}

/** The run, which must have failed with one error that says why, in the log and in the summary, and without an output. */
export function failed(run: ActionRun, says: RegExp): ActionRun {
  assert.equal(run.exitCode, 1, run.log)
  assert.equal(run.errors.length, 1, run.log)
  assert.match(run.errors[0]!, says)
  assert.match(run.summary, /^### ❌ [\s\S]*\n> ./m)
  assert.deepEqual(run.outputs, {})
  return run
}
