import assert from 'node:assert/strict'
import type { ActionRun } from './action.ts'

/** The run, which must have ended well and without an error. */
export function succeeded(run: ActionRun): ActionRun {
  assert.equal(run.exitCode, 0, run.log)
  assert.deepEqual(run.errors, [], run.log)
  return run
}

/** Asserts that a step has set no output of success: its report says that it failed. */
export function assertNoSuccess(outputs: Record<string, string>): void {
  const { report, ...others } = outputs
  assert.deepEqual(others, {})
  if (report !== undefined) assert.notEqual(JSON.parse(report).status, 'success')
}

/** The run, which must have failed or been cancelled with one error that says why, in the log, the summary and its report. */
export function failed(run: ActionRun, says: RegExp): ActionRun {
  failedAfterwards(run, says)
  const status = /was cancelled/.test(run.errors[0]!) ? 'cancelled' : 'failure'
  assert.equal(JSON.parse(run.outputs.report!).status, status)
  return run
}

/** The run of a post step, which must have failed like that. The runner reads no outputs of a post step. */
export function failedAfterwards(run: ActionRun, says: RegExp): ActionRun {
  assert.equal(run.exitCode, 1, run.log)
  assert.equal(run.errors.length, 1, run.log)
  assert.match(run.errors[0]!, says)
  assert.match(run.summary, /^### ❌ [\s\S]*\n> ./m)
  assertNoSuccess(run.outputs)
  return run
}
