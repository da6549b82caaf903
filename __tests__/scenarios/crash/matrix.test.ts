import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { campaign, countHits, describeHits, describeOutcome } from '../../../lab/crash/campaign.ts'
import { makeWorld, type World } from '../../../lab/crash/crash-bench.ts'
import { KINDS, victimsOf } from '../../../lab/crash/operations.ts'

/**
 * Without it every victim of a dump and of a restore dies once but for the AWS CLI, which other tests kill, and one of
 * each other kind; `npm run reliability` plays more, and `npm run test:crash` as many as one likes.
 */
const ROUNDS = process.env.PGCLONE_CRASH_ROUNDS
const SEED = 6

let world: World
before(async () => {
  world = await makeWorld()
})
after(() => world?.[Symbol.asyncDispose]())

for (const kind of KINDS) {
  const victims = victimsOf(kind).length
  const rounds = Number(ROUNDS ?? (['dump', 'restore'].includes(kind) ? victims - 1 : 1))
  test(`#11 #33 ${rounds} crashes of a ${kind} with the seed ${SEED} break none of the five properties`, async (t) => {
    const options = { rounds, seed: SEED, kinds: [kind] }
    const outcomes = await campaign(world, options, (outcome) => t.diagnostic(describeOutcome(outcome)))
    assert.deepEqual(outcomes.filter(({ problems }) => problems.length > 0).map(describeOutcome), [])
    for (const line of describeHits(outcomes)) t.diagnostic(line)
    const hits = [...countHits(outcomes).get(kind)!.values()]
    // A campaign begins with every victim once.
    assert.equal(hits.filter((count) => count > 0).length, Math.min(rounds, victims), 'a victim was missed')
    assert.equal(outcomes.filter(({ hit }) => hit).length, rounds)
  })
}
