import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type LifecycleBench,
  startLifecycleBench,
  temporaries,
} from '../../../lab/benches/lifecycle-bench.ts'
import { findClients } from '../../../lab/postgres/clients.ts'
import { startPostgres } from '../../../lab/postgres/postgres.ts'
import { failed } from '../../../lab/runner/outcome.ts'

let bench: LifecycleBench

before(async () => {
  bench = await startLifecycleBench()
})
after(() => bench?.[Symbol.asyncDispose]())

const skip =
  findClients().some(({ major }) => major >= 18) && 'a client of this machine can dump PostgreSQL 18'

test('verify on a server that no client can dump says so before it restores', { skip }, async () => {
  await using newer = await startPostgres({ package: 'postgres-18' })
  await bench.make('app', 'source')
  const key = await bench.dump('app')
  const run = await bench.run('verify', 'app', { 'dump-key': key, 'database-url': newer.url('app') })
  failed(run, /PostgreSQL 18 needs a client of major 18 or newer; found: 15/)
  assert.doesNotMatch(run.log, /Restore into/)
  assert.deepEqual(await temporaries({ postgres: newer }), [])
})
