/**
 * `npm run test:crash -- --rounds 200 --seed 1`: kills this action, the programs that it starts and the PostgreSQL
 * server at random moments, and looks at everything that is left. A seed plays the same crashes again, as far as the
 * machine is as fast as it was.
 */
import { parseArgs } from 'node:util'
import { campaign, describeHits, describeOutcome } from '../lab/crash/campaign.ts'
import { makeWorld } from '../lab/crash/crash-bench.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '100' }, seed: { type: 'string' } },
})
const rounds = Number(values.rounds)
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9))
if (!Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(seed)) {
  console.error('--rounds must be a whole number from 1, and --seed a whole number')
  process.exit(2)
}
console.log(`${rounds} crashes with the seed ${seed}`)
let played = 0
await using world = await makeWorld()
const outcomes = await campaign(world, { rounds, seed }, (outcome) => {
  played += 1
  console.log(`${played}. ${describeOutcome(outcome)}`)
})
const broken = outcomes.filter(({ problems }) => problems.length > 0)
const hits = outcomes.filter(({ hit }) => hit).length
for (const line of describeHits(outcomes)) console.log(line)
console.log(`${hits} of ${rounds} crashes came in time, ${broken.length} broke a property (seed ${seed})`)
process.exitCode = broken.length === 0 ? 0 : 1
