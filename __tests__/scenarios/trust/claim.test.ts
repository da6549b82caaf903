import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  type LifecycleBench,
  longAgo,
  mark,
  startLifecycleBench,
  temporaries,
} from '../../../lab/benches/lifecycle-bench.ts'
import type { StartedAction } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { until } from '../../../lab/until.ts'

const LOST = /The connection that held the lock on "\w+" was lost; taking the lock again/

let bench: LifecycleBench
let key: string

before(async () => {
  // As a server that ends idle sessions, where the role or the database says so too.
  bench = await startLifecycleBench({ settings: { idle_session_timeout: '1s' } })
  await bench.make('source', 'dumped')
  key = await bench.dump('source')
})
after(() => bench?.[Symbol.asyncDispose]())

type Held = { action: StartedAction; staging: string; go: () => void }

/** A restore that waits in its hook, with a session in the staging database or without one. */
async function heldRestore(database: string, { connected }: { connected: boolean }): Promise<Held> {
  const stop = join(tempFolder('stop').path, 'go')
  const pause = `until [ -e ${stop} ]; do sleep 0.1; done`
  const hook = connected
    ? `{ echo 'set idle_session_timeout = 0;'; echo '\\echo connected'; ${pause}; } | psql -Xq`
    : `echo waiting; ${pause}`
  const action = bench.start('restore', database, { 'dump-key': key, 'pre-swap-hooks': hook })
  await action.waitForLog(/hook \| (connected|waiting)/)
  const [staging] = (await temporaries(bench)).filter((name) => name.startsWith(database))
  return { action, staging: staging!, go: () => writeFileSync(stop, '') }
}

/** Ends the session that holds the locks, as a proxy or an administrator may. */
async function loseClaim(): Promise<void> {
  const lost = "from pg_stat_activity where pid in (select pid from pg_locks where locktype = 'advisory')"
  await bench.postgres.psql('postgres', `select pg_terminate_backend(pid) ${lost}`)
  await until(
    async () => (await bench.postgres.psql('postgres', `select count(*) ${lost}`)) === '0',
    'the locks to go',
  )
}

test('#45 a step whose sessions are idle for longer than the server allows keeps its claim', async () => {
  const { action, go } = await heldRestore('idle', { connected: false })
  await new Promise((resolve) => setTimeout(resolve, 3000))
  failed(
    await bench.run('restore', 'idle', { 'dump-key': key }),
    /Another run of this action is working on "idle"/,
  )
  go()
  assert.doesNotMatch(succeeded(await action.done).log, LOST)
  assert.equal(await bench.state('idle'), 'dumped')
})

test('#45 a lost claim is taken again before the swap, and no sweep drops a staging database in use', async () => {
  const { action, staging, go } = await heldRestore('lost', { connected: true })
  await loseClaim()
  await mark(bench, staging, { at: longAgo })
  const other = succeeded(await bench.run('restore', 'other', { 'dump-key': key }))
  assert.match(other.log, new RegExp(`"${staging}" has sessions and stays`))
  assert.deepEqual(await temporaries(bench), [staging])
  go()
  assert.match(succeeded(await action.done).log, LOST)
  assert.equal(await bench.state('lost'), 'dumped')
  assert.deepEqual(await temporaries(bench), [])
})

test('#45 a step that lost its claim replaces nothing that another run has made meanwhile', async () => {
  const { action, go } = await heldRestore('taken', { connected: false })
  await loseClaim()
  succeeded(await bench.run('restore', 'taken', { 'dump-key': key }))
  await bench.postgres.psql('taken', `update state set state = 'by the other run'`)
  go()
  failed(await action.done, /"taken" was replaced, created or dropped while the lock on it was lost/)
  assert.equal(await bench.state('taken'), 'by the other run')
})

test('#45 a sweep drops an old staging database that nobody uses', async () => {
  const { action, staging } = await heldRestore('killed', { connected: false })
  action.kill()
  await action.done
  await mark(bench, staging, { at: longAgo })
  await until(async () => {
    await bench.run('restore', 'other', { 'dump-key': key })
    return !(await temporaries(bench)).includes(staging)
  }, 'the sweep')
})
