import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { noClient, startSessionBench } from '../../../lab/benches/session-bench.ts'
import type { Session } from '../../../src/database/connection/session.ts'
import { dropDatabase, lookAtServer, type Server } from '../../../src/database/server.ts'
import { swapDatabases } from '../../../src/database/swap.ts'

// Autovacuum comes soon and stays long.
const bench = await startSessionBench({
  autovacuum_naptime: '1',
  autovacuum_vacuum_cost_delay: '100',
  autovacuum_vacuum_cost_limit: '1',
})

describe('the swap', { skip: noClient }, () => {
  let session: Session
  let server: Server
  before(async () => {
    session = await bench.open('postgres')
    server = await lookAtServer(session)
  })

  /** A database that knows its version. */
  async function make(name: string, version: number): Promise<void> {
    await bench.postgres.createDatabase(name)
    await bench.postgres.psql(name, `create table version as select ${version} as n`)
  }
  const version = (name: string) => bench.postgres.psql(name, 'select n from version')

  test('clients that come again and again always find the old or the new database', async () => {
    await make('app', 0)
    const stop = new AbortController()
    const seen: number[][] = []
    const refusals = new Set<string>()
    const client = async () => {
      const mine: number[] = []
      seen.push(mine)
      while (!stop.signal.aborted) {
        try {
          await using one = await bench.postgres.connect('app')
          for (let queries = 0; queries < 5; queries += 1) {
            mine.push(Number(await one.text('select n from version')))
            await sleep(2)
          }
        } catch (error) {
          const { message, detail } = error as Error & { detail?: string }
          refusals.add(`${message} ${detail}`)
        }
      }
    }
    const clients = Array.from({ length: 4 }, client)
    for (let round = 1; round <= 3; round += 1) {
      await make(`staging ${round}`, round)
      const old = { name: `old ${round}`, comment: `it's old` }
      await swapDatabases(session, server, { database: 'app', staging: `staging ${round}`, old })
      assert.equal(await version('app'), String(round))
      await sleep(50)
    }
    stop.abort()
    await Promise.all(clients)
    for (const mine of seen)
      assert.deepEqual(
        mine,
        mine.toSorted((a, b) => a - b),
        'no client goes back in time',
      )
    assert.ok(new Set(seen.flat()).size > 2)
    // A client that is on its way in at the very moment may hear that the database was renamed, never that there is none.
    for (const refusal of refusals)
      assert.doesNotMatch(refusal, /does not exist (?!It seems to have just been)/)
    const kept = await bench.postgres.query(
      'postgres',
      `select datname, datallowconn as open, shobj_description(oid, 'pg_database') as comment
       from pg_database where datname in ('app', 'old 1', 'old 3') order by 1`,
    )
    assert.deepEqual(kept, [
      { datname: 'app', open: true, comment: null },
      { datname: 'old 1', open: false, comment: `it's old` },
      { datname: 'old 3', open: false, comment: `it's old` },
    ])
  })

  test('names may be anything', async () => {
    const [database, staging, old] = [`a"b'c\\d$$e`, `:x; drop database postgres; -- é`, '$body$ \'"']
    await make(database, 1)
    await make(staging, 2)
    await swapDatabases(session, server, { database, staging, old: { name: old, comment: `$$'\\"` } })
    assert.equal(await version(database), '2')
  })

  test('the first database of a name needs no old one', async () => {
    await make('first staging', 1)
    await swapDatabases(session, server, { database: 'first', staging: 'first staging', old: null })
    assert.equal(await version('first'), '1')
  })

  test('#33 a swap that fails leaves everything as it was, and open', async () => {
    await make('live', 1)
    await make('candidate', 2)
    await make('taken', 3)
    const old = (name: string) => ({ name, comment: null })
    const cases: [Parameters<typeof swapDatabases>[2], RegExp][] = [
      [
        { database: 'live', staging: 'nowhere', old: old('x') },
        /"live", which is as it was: database "nowhere" does not exist/,
      ],
      [
        { database: 'live', staging: 'candidate', old: old('taken') },
        /which is as it was: database "taken" already exists/,
      ],
      [{ database: 'missing', staging: 'candidate', old: old('x') }, /database "missing" does not exist/],
      [{ database: 'live', staging: 'candidate', old: null }, /database "live" already exists/],
      [{ database: 'postgres', staging: 'candidate', old: old('x') }, /current database/],
    ]
    for (const [swap, reason] of cases) {
      await assert.rejects(swapDatabases(session, server, swap), reason)
      assert.equal(await version('live'), '1')
      assert.equal(await version('candidate'), '2')
    }
    const closed = await bench.postgres.query(
      'postgres',
      `select datname from pg_database where not datallowconn and datname !~ '^(old|template0)|body'`,
    )
    assert.deepEqual(closed, [])
    assert.deepEqual(await session.query('SELECT 1 AS still'), [{ still: 1 }])
  })

  test('#33 a swap that fails does not open what an administrator has closed', async () => {
    await make('shut', 1)
    await make('waiting', 2)
    await bench.postgres.psql('postgres', 'alter database shut allow_connections false')
    const swap = { database: 'shut', staging: 'waiting', old: { name: 'waiting', comment: null } }
    await assert.rejects(swapDatabases(session, server, swap), /"shut", which is as it was/)
    const [row] = await bench.postgres.query(
      'postgres',
      "select datallowconn from pg_database where datname = 'shut'",
    )
    assert.deepEqual(row, { datallowconn: false })
    await bench.postgres.psql('postgres', 'alter database shut allow_connections true')
  })

  test('#33 a swap that loses its session in the middle is whole or has not happened', async () => {
    await make('held', 1)
    await make('held staging', 2)
    // A prepared transaction keeps the database in use, so the rename waits.
    const own = await bench.open('postgres')
    const [{ pid }] = (await own.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')) as [
      { pid: number },
    ]
    const blocker = await bench.postgres.connect('postgres')
    await blocker.query(`begin; comment on database "held staging" is 'locked'`)
    const work = swapDatabases(own, server, {
      database: 'held',
      staging: 'held staging',
      old: { name: 'held old', comment: null },
    })
    const outcome = assert.rejects(work, /either the old or the new one|terminat/)
    await sleep(300)
    await bench.postgres.psql('postgres', `select pg_terminate_backend(${pid})`)
    await blocker.end()
    await outcome
    const names = (await bench.postgres.databases()).filter((name) => name.startsWith('held'))
    assert.deepEqual(names, ['held', 'held staging'])
    assert.equal(await version('held staging'), '2')
    // What a lost session cannot do any more, the next run does.
    const next = { database: 'held', staging: 'held staging', old: { name: 'held old', comment: null } }
    await swapDatabases(session, server, next)
    assert.equal(await version('held'), '2')
  })

  test('autovacuum is in nobody’s way, least of all of a role that is no superuser', async () => {
    const { postgres } = bench
    await postgres.psql('postgres', `create role app login createdb password 'app'`)
    await postgres.createDatabase('busy', 'owner app')
    await postgres.createDatabase('busy staging', 'owner app')
    await postgres.psql(
      'busy staging',
      "create table t as select n, repeat('x', 500) from generate_series(1, 50000) n; delete from t where n % 2 = 0",
    )
    const workers = `select count(*) from pg_stat_activity where datname = 'busy staging' and backend_type = 'autovacuum worker'`
    for (let tries = 0; tries < 200 && (await postgres.psql('postgres', workers)) === '0'; tries += 1)
      await sleep(100)
    assert.equal(await postgres.psql('postgres', workers), '1')
    const app = await bench.open('postgres', { user: 'app', password: 'app' })
    const swap = { database: 'busy', staging: 'busy staging', old: { name: 'busy old', comment: null } }
    await swapDatabases(app, await lookAtServer(app), swap)
    await dropDatabase(app, server, 'busy old')
  })
})
