import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import { carelessPgDump } from '../../../lab/careless-pg-dump.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { KEY } from '../../../lab/postgres/mask-cases.ts'
import {
  KEPT_VALUES,
  MASK_FILE,
  makePersonalData,
  RAW_VALUES,
  writeMaskFile,
} from '../../../lab/postgres/personal-data.ts'
import { type RecordingProxy, startRecordingProxy } from '../../../lab/recording-proxy.ts'
import type { ActionOptions, ActionRun } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

let bench: LifecycleBench
let proxy: RecordingProxy
const { path: workspace } = tempFolder('workspace')
const masked = { mask: MASK_FILE, 'mask-key': KEY }

before(async () => {
  bench = await startLifecycleBench()
  await makePersonalData(bench.postgres, 'app')
  proxy = await startRecordingProxy(bench.postgres)
  writeMaskFile(workspace)
})
after(async () => {
  await proxy?.[Symbol.asyncDispose]()
  await bench?.[Symbol.asyncDispose]()
})

/** Runs `dump` or `copy` with a source behind the proxy, whose record begins with the step. */
function run(command: string, more: Record<string, string> = {}, options: ActionOptions = {}) {
  proxy.clear()
  const url = bench.postgres.url('app', { port: proxy.port })
  const ends =
    command === 'dump' ? { 'database-url': url } : { 'source-database-url': url, overwrite: 'true' }
  const database = command === 'dump' ? '' : 'copied'
  return bench.run(command, database, { ...ends, ...more }, { cwd: workspace, ...options })
}

async function assertNoRawValue(run: ActionRun): Promise<void> {
  const found = new Set(proxy.find(KEPT_VALUES).map(({ value, from }) => `${value} from ${from}`))
  for (const value of KEPT_VALUES) assert.ok(found.has(`${value} from server`), value)
  assert.deepEqual(proxy.find(RAW_VALUES), [])
  await assertNothingLeft({ run, postgres: bench.postgres, folder: bench.folder, secrets: RAW_VALUES })
}

test('without mask, the proxy sees every raw value', async () => {
  succeeded(await run('dump'))
  const seen = new Set(proxy.find([...RAW_VALUES, ...KEPT_VALUES]).map(({ value }) => value))
  assert.deepEqual(
    [...seen].sort(),
    [...RAW_VALUES.filter((value) => value !== 'ra7w'), ...KEPT_VALUES].sort(),
  )
})

for (const command of ['dump', 'copy']) {
  for (const jobs of ['1', '4']) {
    test(`no raw value leaves the server with ${command} and jobs: ${jobs}`, async () => {
      await assertNoRawValue(succeeded(await run(command, { ...masked, jobs })))
    })
  }

  test(`no raw value leaves the server when an attempt of ${command} breaks off and the next succeeds`, async () => {
    proxy.resetAfter(1_000_000)
    const heal = (line: string) => void (/Attempt 2/.test(line) && proxy.heal())
    const twice = succeeded(await run(command, { ...masked, jobs: '4', retries: '2' }, { onLine: heal }))
    assert.match(twice.log, /Attempt 2/)
    await assertNoRawValue(twice)
  })

  test(`a pg_dump that sends what is masked ends ${command} without a trace of it`, async () => {
    const careless = carelessPgDump()
    const before = existsSync(bench.folder) ? readdirSync(bench.folder, { recursive: true }) : []
    for (const jobs of ['1', '4']) {
      const more = { ...masked, ...careless.inputs, jobs, retries: '2' }
      const stopped = failed(await run(command, more, { env: careless.env }), /pg_dump.*(mask|kept)/)
      assert.doesNotMatch(stopped.log, /Attempt 2/)
      await assertNothingLeft({
        ...{ run: stopped, postgres: bench.postgres, folder: bench.folder },
        secrets: RAW_VALUES,
      })
      assert.deepEqual(existsSync(bench.folder) ? readdirSync(bench.folder, { recursive: true }) : [], before)
    }
  })
}
