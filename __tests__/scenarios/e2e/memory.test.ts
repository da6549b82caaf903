import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { makeData } from '../../../lab/postgres/sample.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'

let bench: Bench
/**
 * Megabytes, far apart rather than large; a human may ask for gigabytes. A smaller database is dumped before there is so
 * much garbage that it is collected at its usual pace.
 */
const sizes = (process.env.PGCLONE_TEST_SIZES ?? '100 200').split(' ').map(Number)

before(async () => {
  bench = await startBench()
  for (const size of sizes) await makeData(bench.postgres, `app_${size}`, size)
})
after(() => bench?.[Symbol.asyncDispose]())

const identity = await generateX25519Identity()
const recipient = await identityToRecipient(identity)

const ways: [string, Record<string, string>, Record<string, string>, Record<string, string>][] = [
  ['with one job, encrypted', { jobs: '1' }, { 'encrypt-to': recipient }, { 'age-identity': identity }],
  ['with two jobs', { jobs: '2' }, {}, {}],
]

for (const [what, way, forDump, forRestore] of ways) {
  test(`our memory does not grow with the database, ${what}`, async (t) => {
    const peaks: Record<'dump' | 'restore', number[]> = { dump: [], restore: [] }
    for (const size of sizes) {
      const dumped = succeeded(
        await bench.run('dump', 'folder', `app_${size}`, { ...way, ...forDump, compression: 'zstd' }),
      )
      const key = { 'dump-key': dumped.outputs['dump-key']! }
      const restored = succeeded(
        await bench.run('restore', 'folder', 'copy', { ...way, ...key, ...forRestore }),
      )
      peaks.dump.push(dumped.peakRss / 1e6)
      peaks.restore.push(restored.peakRss / 1e6)
    }
    for (const [command, peak] of Object.entries(peaks)) {
      const figures = peak.map((megabytes, index) => `${sizes[index]} MB → ${Math.round(megabytes)} MB`)
      t.diagnostic(`${command}: ${figures.join(', ')}`)
    }
    assert.ok(Math.max(...peaks.dump, ...peaks.restore) < 300, JSON.stringify(peaks))
    // What grows with the database would nearly double; the rest is when the garbage is collected.
    for (const [command, peak] of Object.entries(peaks))
      assert.ok(Math.max(...peak) < Math.min(...peak) * 1.4, `${command}: ${peak} MB`)
  })
}
