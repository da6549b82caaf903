import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PermanentError, TransientError } from '../../../src/errors.ts'
import { Retries, waitBefore } from '../../../src/step/retries.ts'

const never = new AbortController().signal

/** The attempts of a step, and how often it cleaned up between them. */
function startRetries(retries: number, signal = never) {
  let cleanUps = 0
  const all = new Retries(retries, () => async () => {
    cleanUps += 1
  })
  return {
    run: <Result>(work: () => Promise<Result>) => all.run(work, signal),
    get made() {
      return all.made
    },
    get cleanUps() {
      return cleanUps
    },
  }
}

/** Work that fails with each of the errors in turn, and then succeeds. */
function failing(...errors: Error[]): (() => Promise<string>) & { times: number } {
  const work = async () => {
    const error = errors[work.times]
    work.times += 1
    if (error) throw error
    return 'done'
  }
  work.times = 0
  return work
}

const passing = new TransientError('the connection broke')

test('each wait is longer, up to a bound, and differs by chance', () => {
  const middle = Array.from({ length: 6 }, (_, index) => waitBefore(index + 1, 0.5))
  assert.deepEqual(middle, [1000, 5000, 25_000, 60_000, 60_000, 60_000])
  assert.deepEqual([waitBefore(1, 0), waitBefore(1, 1)], [500, 1500])
})

test('work that passes is done again, and what is left of the attempts goes to the next work', async () => {
  const both = startRetries(1)
  const [first, second] = [failing(passing), failing(passing)]
  assert.equal(await both.run(first), 'done')
  assert.deepEqual([first.times, both.made, both.cleanUps], [2, 2, 1])
  await assert.rejects(both.run(second), /^Error: the connection broke \(2 attempts were made\)$/)
  assert.deepEqual([second.times, both.made], [1, 2])
})

test('what does not pass, and a cancelled step, are not tried again', async () => {
  const cases: [Error, number][] = [
    [new PermanentError('a hook failed'), 2],
    [new Error('a wrong password'), 2],
    [passing, 0],
  ]
  for (const [error, retries] of cases) {
    const work = failing(error)
    await assert.rejects(startRetries(retries).run(work), (thrown) => thrown === error)
    assert.equal(work.times, 1)
  }
  const cancelled = failing(passing)
  await assert.rejects(startRetries(2, AbortSignal.abort(new Error('cancelled'))).run(cancelled), passing)
  assert.equal(cancelled.times, 1)
})

test('a cancel ends the wait', async () => {
  const controller = new AbortController()
  const work = failing(passing)
  const running = startRetries(10, controller.signal).run(work)
  setTimeout(() => controller.abort(new Error('The step was cancelled')), 50)
  await assert.rejects(running, /The step was cancelled/)
  assert.equal(work.times, 1)
})
