import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notePending, notePendingOfStep, type Pending, watchLeftovers } from '../../src/leftovers.ts'

test('an attempt has left what began in it, and neither what is older nor what belongs to the step', () => {
  delete process.env.GITHUB_STATE
  const file = (path: string): Pending => ({ kind: 'file', path })
  const forgetOld = notePending(file('old'))
  const leftovers = watchLeftovers()
  notePendingOfStep(file('of the step'))
  const forget = notePending(file('gone'))
  notePending(file('left'))
  forget()
  forgetOld()
  assert.deepEqual(leftovers(), [file('left')])
})
