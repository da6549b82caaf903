import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { committedDumps, witness } from '../../../lab/benches/witness.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { readTables } from '../../../lab/postgres/compare.ts'
import { makeData } from '../../../lab/postgres/sample.ts'
import { startProxy } from '../../../lab/proxy.ts'
import type { ActionRun } from '../../../lab/runner/action.ts'
import { childOf, killChild } from '../../../lab/runner/children.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { until } from '../../../lab/until.ts'

let bench: Bench
let proxy: Awaited<ReturnType<typeof startProxy>>
/** The same dump in both places. */
let key: string

before(async () => {
  bench = await startBench()
  await makeData(bench.postgres, 'app', 10)
  key = await bench.dump('folder', 'app', { compression: 'none' })
  for (const name of [key, `${key}.json`])
    await bench.s3.write(`nightly/${name}`, readFileSync(join(bench.folder, name)))
  proxy = await startProxy(bench.postgres)
})
beforeEach(() => {
  proxy.heal()
  bench.s3.heal()
})
after(async () => {
  await proxy?.[Symbol.asyncDispose]()
  await bench?.[Symbol.asyncDispose]()
})

const through = (database: string) => ({ 'database-url': bench.postgres.url(database, { port: proxy.port }) })
const always = Number.POSITIVE_INFINITY

/** Heals what is broken as soon as the first attempt has failed. */
const healing = {
  onLine: (line: string) => {
    if (!/^::warning.*::Attempt 1 of/.test(line)) return
    proxy.heal()
    bench.s3.heal()
  },
}

/** A step that succeeded at its second attempt, and said so. */
function twice(run: ActionRun, why: RegExp): ActionRun {
  succeeded(run)
  const failures = run.warnings.filter((warning) => /^Attempt \d of 3 failed/.test(warning))
  assert.equal(failures.length, 1, run.log)
  assert.match(failures[0]!, why)
  assert.match(failures[0]!, /The next attempt starts in /)
  assert.match(run.summary, /\| \*\*Attempts\*\* \| 2; the log says why \|/)
  return run
}

async function assertRestored(database: string): Promise<void> {
  const { postgres } = bench
  assert.deepEqual(await readTables(postgres, database), await readTables(postgres, 'app'))
  await postgres.psql('postgres', `drop database ${database}`)
}

/** Whether the only new dump is the one that the run names. */
async function assertOneDump(run: ActionRun, before: string[]): Promise<void> {
  const { postgres, folder, s3 } = bench
  const added = committedDumps(bench).filter((name) => !before.includes(name))
  assert.equal(added.length, 1)
  assert.ok(added[0]!.includes(run.outputs['dump-key']!))
  await assertNothingLeft({ run, postgres, s3, folder, databases: ['app', 'postgres'] })
}

test('#01 a dump whose connection is cut once', async () => {
  const before = committedDumps(bench)
  proxy.resetAfter(5_000_000)
  const file = join(tempFolder().path, 'hooks')
  const more = { retries: '2', 'pre-dump-hooks': `echo ran >> ${file}`, ...through('app') }
  const run = twice(
    await bench.run('dump', 'folder', 'app', more, healing),
    /was cut in the middle of the dump/,
  )
  await assertOneDump(run, before)
  // A hook on the source has done its work, whatever becomes of the dump.
  assert.equal(readFileSync(file, 'utf8'), 'ran\n')
})

test('#09 #14 a dump whose uploader is killed, and whose manifest the store does not take the next time', async () => {
  const before = committedDumps(bench)
  const stall = { type: 'stall', after: 1000 } as const
  const error = { type: 'error', status: 500, code: 'InternalError' } as const
  bench.s3.fault({ operation: 'UploadPart', times: always, action: stall })
  const onLine = (line: string) => {
    const attempt = /^::warning.*::Attempt (\d) of/.exec(line)?.[1]
    if (attempt) bench.s3.heal()
    if (attempt === '1')
      bench.s3.fault({ operation: 'PutObject', key: /\.json$/, times: always, action: error })
  }
  const more = { retries: '2', compression: 'none', 's3-config': `${bench.s3.config}\nAWS_MAX_ATTEMPTS=1` }
  const action = bench.start('dump', 's3', 'app', more, { onLine })
  await until(() => bench.s3.uploads().length > 0, 'an upload')
  await killChild(action, /s3 cp - /)
  const run = succeeded(await action.done)
  const failures = run.warnings.filter((warning) => /^Attempt \d of 3 failed/.test(warning))
  assert.equal(failures.length, 2, run.log)
  assert.match(failures[0]!, /upload\) failed \(SIGKILL\)/)
  assert.match(failures[1]!, /internal error/)
  assert.match(run.summary, /\| \*\*Attempts\*\* \| 3; the log says why \|/)
  await assertOneDump(run, before)
})

/** A restore with one job has its second attempt below, when the server restarts. */
const ways: [string, Inputs][] = [
  ['with two jobs', { jobs: '2' }],
  ['in place', { swap: 'false' }],
]

for (const [what, way] of ways) {
  test(`#30 a restore whose connection is cut once, ${what}`, async () => {
    const { postgres, s3, folder } = bench
    await postgres.createDatabase('live')
    proxy.resetAfter(3_000_000, 'client')
    const more = { retries: '2', 'dump-key': key, ...through('live'), ...way }
    const run = twice(await bench.run('restore', 'folder', 'live', more, healing), /pg_restore|psql/)
    await assertNothingLeft({ run, postgres, s3, folder, databases: ['app', 'live', 'postgres'] })
    await assertRestored('live')
  })
}

test('#18 a restore whose download ends early once, as if it were whole', async () => {
  const { postgres, s3 } = bench
  s3.fault({
    ...{ operation: 'GetObject', key: /\.dump$/, nth: 2 },
    action: { type: 'truncate', after: 1_000_000 },
  })
  const more = { retries: '2', 'dump-key': key }
  const run = twice(await bench.run('restore', 's3', 'arrived', more, healing), /bytes, but [\d,]+ arrived/)
  await assertNothingLeft({ run, postgres, databases: ['app', 'arrived', 'postgres'] })
  await assertRestored('arrived')
})

test('hooks run again on the new staging database, and the failure of one ends the step', async () => {
  const file = join(tempFolder().path, 'hooks')
  const hook = `echo "$PGDATABASE" >> ${file}; psql -Xqc "create table attempt as select $(wc -l < ${file}) as n"`
  const assertion = 'select n = 2 or pg_terminate_backend(pg_backend_pid()) from attempt'
  const more = { retries: '2', 'dump-key': key, 'pre-swap-hooks': hook, 'verify-sql': assertion }
  const run = await bench.run('restore', 'folder', 'hooked', more)
  twice(run, /verify-sql could not be run.*terminating connection due to administrator command|connection/)
  const names = readFileSync(file, 'utf8').trim().split('\n')
  assert.equal(new Set(names).size, 2)
  assert.ok(names.every((name) => name.startsWith('hooked__pgclone_')))
  await bench.postgres.psql('hooked', 'drop table attempt')
  await assertRestored('hooked')

  const harm = await witness(bench)
  const failing = { ...more, 'pre-swap-hooks': 'echo server closed the connection unexpectedly >&2; false' }
  const failed = await bench.run('restore', 'folder', 'hooked', failing)
  await harm.assertHarmless(failed, /^pre-swap-hooks .* failed/)
  assert.match(failed.log, /This error is permanent; not retrying/)
})

test('a copy and a verify whose connection is cut once', async () => {
  const { postgres } = bench
  proxy.resetAfter(5_000_000)
  const file = join(tempFolder().path, 'hooks')
  const source = { 'source-database-url': postgres.url('app', { port: proxy.port }) }
  const hooks = { 'pre-dump-hooks': `echo ran >> ${file}` }
  const more = { command: 'copy', retries: '2', 'copy-method': 'stream', ...source, ...hooks }
  twice(await bench.run('restore', 'folder', 'copied', more, healing), /cut in the middle of the dump/)
  assert.equal(readFileSync(file, 'utf8'), 'ran\n')
  await assertRestored('copied')

  proxy.resetAfter(3_000_000, 'client')
  const verify = { command: 'verify', retries: '2', 'dump-key': key, ...through('app') }
  const run = twice(await bench.run('restore', 'folder', 'app', verify, healing), /pg_restore/)
  assert.equal(run.outputs.verified, 'true')
  await assertNothingLeft({ run, postgres, databases: ['app', 'postgres'] })
})

test('a server that restarts in the middle: the staging database of the first attempt goes as well', async () => {
  const { postgres, folder } = bench
  proxy.stallAfter(3_000_000, 'client')
  const more = { retries: '3', 'dump-key': key, jobs: '1', ...through('live') }
  const sent = proxy.bytes.client
  const action = bench.start('restore', 'folder', 'live', more)
  await childOf(action, /pg_restore /)
  await until(() => proxy.bytes.client - sent >= 3_000_000, 'data to flow')
  await postgres.stop('immediate')
  proxy.heal()
  await action.waitForLog(/^::warning.*::Attempt 1 of 4 failed/)
  await postgres.restart()
  const run = succeeded(await action.done)
  await assertNothingLeft({ run, postgres, folder, databases: ['app', 'live', 'postgres'] })
  await assertRestored('live')
})

test('a fault that stays fails after the last attempt, and leaves nothing', async () => {
  const harm = await witness(bench)
  proxy.resetAfter(3_000_000, 'client')
  const more = { retries: '1', 'dump-key': key, ...through('live') }
  const restore = await bench.run('restore', 'folder', 'live', more)
  await harm.assertHarmless(restore, /\(2 attempts were made\)/)
  assert.match(restore.summary, /❌ restore failed[\s\S]*2 attempts were made/)
})

test('a reason that cannot pass is tried once', async () => {
  const harm = await witness(bench)
  const url = bench.postgres.url('app', { password: 'wrong-canary-9' })
  const run = await bench.run('dump', 'folder', 'app', { retries: '2', 'database-url': url })
  await harm.assertHarmless(run, /wrong password/, { secrets: ['wrong-canary-9'] })
  assert.doesNotMatch(run.log, /Attempt 1/)
})
