import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ordered, type Task } from '../../../src/archive/ordered.ts'

/** Tasks that take differently long; every third is done at once. `underWay` tells how many are not done. */
function work(count: number, fail = -1) {
  const state = { underWay: 0, most: 0, started: 0 }
  const one = async (n: number) => {
    state.most = Math.max(state.most, ++state.underWay)
    await sleep((n * 7) % 5)
    state.underWay--
    if (n === fail) throw new Error(`task ${n}`)
    return n
  }
  const tasks = async function* (): AsyncGenerator<Task<number>> {
    for (let n = 0; n < count; n++) {
      state.started++
      yield { result: n % 3 === 0 && n !== fail ? n : one(n) }
    }
  }
  return { state, tasks: tasks() }
}

test('results come in order, no more than the limit at once', async () => {
  const { state, tasks } = work(100)
  const results: number[] = []
  for await (const n of ordered(tasks, 4)) results.push(n)
  assert.deepEqual(
    results,
    Array.from({ length: 100 }, (_, n) => n),
  )
  assert.equal(state.most, 4)
})

test('what is done at once does not pile up behind what is not', async () => {
  let started = 0
  const tasks = async function* (): AsyncGenerator<Task<number>> {
    yield { result: sleep(20, 0) }
    for (let n = 0; n < 1000; n++) yield { result: ++started }
  }
  for await (const _ of ordered(tasks(), 2)) break
  assert.ok(started <= 8, `${started} started`)
})

test('an error comes in its turn, and nothing outlives the end', async () => {
  const failing = work(100, 20)
  const results: number[] = []
  await assert.rejects(async () => {
    for await (const n of ordered(failing.tasks, 4)) results.push(n)
  }, /task 20/)
  assert.equal(results.length, 20)
  assert.equal(failing.state.underWay, 0)

  const stopped = work(100)
  for await (const n of ordered(stopped.tasks, 4)) if (n === 10) break
  assert.equal(stopped.state.underWay, 0)
  assert.ok(stopped.state.started < 20)
})
