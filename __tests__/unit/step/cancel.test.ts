import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onCancel } from '../../../src/step/cancel.ts'

// What the runner sends first and second, on Linux and macOS and on Windows.
for (const name of ['SIGINT', 'SIGTERM', 'SIGBREAK'] as const) {
  test(`${name} cancels, and no longer when the step is done`, () => {
    const before = process.listenerCount(name)
    const { signal, done } = onCancel()
    process.emit(name, name)
    assert.equal(signal.aborted, true)
    assert.equal((signal.reason as Error).message, 'The step was cancelled')
    process.emit(name, name)
    done()
    assert.equal(process.listenerCount(name), before)
  })
}
