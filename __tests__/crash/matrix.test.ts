import assert from 'node:assert/strict'
import { test } from 'node:test'
import { campaign, describeOutcome } from './campaign.ts'

const ROUNDS = 24
const SEED = 6

test(`#11 #33 ${ROUNDS} crashes with the seed ${SEED} break none of the five properties`, async (t) => {
  const outcomes = await campaign({ rounds: ROUNDS, seed: SEED }, (outcome) =>
    t.diagnostic(describeOutcome(outcome)),
  )
  assert.deepEqual(outcomes.filter(({ problems }) => problems.length > 0).map(describeOutcome), [])
  const hits = outcomes.filter(({ hit }) => hit).length
  t.diagnostic(`crashes: ${hits}`)
  assert.ok(hits >= ROUNDS / 2, `only ${hits} steps still ran when their time came`)
})
