import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { reconnect, temporaries, useDumpedSource } from '../../../lab/benches/lifecycle-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

const { bench, key } = await useDumpedSource()

test('#31 of twenty restores of one target at once exactly one wins, and the others say so', async () => {
  const { postgres, folder } = bench
  await bench.make('contested', 'old')
  const go = join(tempFolder('go').path, 'go')
  const twenty = Array.from({ length: 20 }, (_, number) =>
    bench.start('restore', 'contested', {
      'dump-key': key,
      overwrite: 'true',
      'pre-swap-hooks': `until [ -e ${go} ]; do sleep 0.05; done\npsql -Xqc "update state set state = 'run ${number}'"`,
    }),
  )
  // The winner waits for the others to give up, so none can come when it has ended.
  let ended = 0
  for (const one of twenty)
    void one.done.then(() => {
      ended += 1
      if (ended === 19) writeFileSync(go, '')
    })
  const runs = await Promise.all(twenty.map((one) => one.done))
  const winners = runs.flatMap((run, number) => (run.exitCode === 0 ? [number] : []))
  assert.equal(winners.length, 1)
  assert.equal(await bench.state('contested'), `run ${winners[0]}`)
  for (const [number, run] of runs.entries()) {
    if (number === winners[0]) succeeded(run)
    else failed(run, /Another run of this action is working on "contested" right now; try again/)
    await assertNothingLeft({ run, postgres, folder, databases: ['contested', 'postgres', 'source'] })
  }
})

test('restores of different targets, with clients that reconnect, do not disturb each other', async () => {
  const names = ['one', 'two', 'three']
  for (const name of names) await bench.make(name, 'old')
  await using _one = reconnect(bench, 'one')
  await using _two = reconnect(bench, 'two')
  const runs = await Promise.all(
    names.map((name) => bench.run('restore', name, { 'dump-key': key, overwrite: 'true' })),
  )
  runs.forEach(succeeded)
  for (const name of names) assert.equal(await bench.state(name), 'dumped')
  assert.deepEqual(await temporaries(bench), [])
})
