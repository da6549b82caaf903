import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { readCatalogue, readTables } from '../../../lab/postgres/compare.ts'
import { readWaits } from '../../../lab/postgres/downtime.ts'
import { quoteIdentifier } from '../../../lab/postgres/postgres.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { until } from '../../../lab/until.ts'

let bench: Bench
const keys: Record<string, string> = {}

before(async () => {
  bench = await startBench({ settings: { log_connections: 'on' } })
  for (const state of ['one', 'two']) {
    await make(state, state)
    keys[state] = await bench.dump('folder', state)
  }
})
after(() => bench?.[Symbol.asyncDispose]())

/** A database that knows its state. */
async function make(name: string, state: string): Promise<void> {
  await bench.postgres.createDatabase(name)
  await bench.postgres.psql(name, `create table state as select '${state}' as state`)
}

/** Restores one of the dumps over a database. */
function restore(database: string, { state = 'one', as = {}, more = {} } = {}) {
  const url = bench.postgres.url(database, as)
  return bench.run('restore', 'folder', database, { 'dump-key': keys[state]!, 'database-url': url, ...more })
}

/** Twenty clients that come back all the time, what they saw, and how often they were let in. */
function crowd(database: string) {
  const seen = new Set<string>()
  let running = true
  let visits = 0
  const client = async (number: number) => {
    while (running) {
      try {
        await using session = await bench.postgres.connect(database, { application: `client ${number}` })
        visits += 1
        seen.add(await session.text('select state from state'))
        await session.query('select pg_sleep(0.5)')
      } catch (error) {
        // Ended, or kept out for the moment of the swap. "does not exist" would be a moment without a database, but for
        // a client on its way in when the names changed: the server says so in the detail (InitPostgres in postinit.c).
        const { message, detail = '' } = error as Error & { detail?: string }
        const missing = /does not exist/.test(message) && !/just been dropped or renamed/.test(detail)
        seen.add(missing ? message : 'kept out')
      }
    }
  }
  const clients = Array.from({ length: 20 }, (_, number) => client(number))
  return {
    seen,
    visits: () => visits,
    async [Symbol.asyncDispose]() {
      running = false
      await Promise.all(clients)
    },
  }
}

test('#31 twenty clients that reconnect all the time find a database at every moment, and are in again within a second', async (t) => {
  const { postgres } = bench
  await make('busy', 'two')
  const harm = await witness(bench)
  /** Of each swap, the wait of the client that waited longest. */
  const longest: number[] = []
  await using clients = crowd('busy')
  const everyone = (visits = clients.visits()) => until(() => clients.visits() > visits + 20, 'every client')
  for (const state of ['one', 'two', 'one']) {
    await everyone()
    const logged = postgres.log().length
    const run = succeeded(await restore('busy', { state }))
    await everyone()
    assert.deepEqual(await readTables(postgres, 'busy'), await readTables(postgres, state))
    await harm.assertClean(run)
    longest.push(Math.max(0, ...readWaits(postgres.log().slice(logged)).values()))
  }
  t.diagnostic(`the client that waited longest had no session for ${longest.join(', ')} ms`)
  assert.deepEqual([...clients.seen].sort(), ['kept out', 'one', 'two'])
  assert.ok(Math.max(...longest) > 0, 'nobody was kept out, so nothing was measured')
  // The middle one, because once in a while the machine itself stops for a second.
  const [, usual] = longest.toSorted((a, b) => a - b)
  assert.ok(usual! < 1000, `${longest} ms`)
})

test('#31 a session that cannot be ended keeps the target as it was', async () => {
  const { postgres } = bench
  await postgres.psql('postgres', `create role owner_only login createdb password 'owns-the-target'`)
  await make('tight', 'old')
  await postgres.psql(
    'tight',
    'alter database tight owner to owner_only; alter table state owner to owner_only',
  )
  const harm = await witness(bench, 'tight')
  // Only a superuser may end the session of one.
  await using session = await postgres.connect('tight')
  await session.query('select 1')
  const run = await restore('tight', { as: { user: 'owner_only', password: 'owns-the-target' } })
  await harm.assertHarmless(run, /could not take the place of "tight", which is as it was/)
  assert.equal(await session.text('select state from state'), 'old')
})

test('#32 owner, grants, limits, settings and comment of the target stay', async () => {
  const { postgres } = bench
  const name = 'kept "as" it is'
  await make(name, 'old')
  const target = quoteIdentifier(name)
  for (const statement of [
    `create role app_owner nologin; create role "Böse ""Rolle""" login; create role guest login`,
    `alter database ${target} owner to app_owner`,
    `alter database ${target} connection limit 17`,
    `revoke all on database ${target} from public`,
    `grant connect on database ${target} to "Böse ""Rolle"""`,
    `grant create, temporary on database ${target} to guest with grant option`,
    `alter database ${target} set search_path to "$user", public, "my ""schema"""`,
    `alter database ${target} set work_mem = '7MB'`,
    `alter database ${target} set my.setting = 'it''s; "quoted" \\ and empty '`,
    `alter role "Böse ""Rolle""" in database ${target} set statement_timeout = '5s'`,
    `comment on database ${target} is 'It''s ours; \\ not yours'`,
  ])
    await postgres.psql('postgres', statement)
  const before = await readCatalogue(postgres, name)
  const harm = await witness(bench)
  const run = succeeded(await restore(name))
  assert.deepEqual(await readCatalogue(postgres, name), before)
  assert.deepEqual(await readTables(postgres, name), await readTables(postgres, 'one'))
  await harm.assertClean(run)
})

test('#34 swap: false restores in place, in one transaction, without the right to create databases', async () => {
  const { postgres } = bench
  await postgres.psql('postgres', `create role plain login password 'simple-canary'`)
  await make('in_place', 'old')
  await postgres.psql(
    'in_place',
    `create table more (id int); alter database in_place owner to plain;
     alter table state owner to plain; alter schema public owner to plain`,
  )
  const secrets = ['simple-canary']
  const as = { user: 'plain', password: 'simple-canary' }
  const oid = () => postgres.psql('postgres', `select oid from pg_database where datname = 'in_place'`)
  const before = await oid()
  const harm = await witness(bench)
  const run = succeeded(await restore('in_place', { state: 'one', as, more: { swap: 'false' } }))
  assert.equal(await postgres.psql('in_place', 'select state from state'), 'one')
  assert.equal(await postgres.psql('in_place', `select count(*) from more`), '0')
  assert.equal(await oid(), before)
  await harm.assertClean(run, { secrets })

  await postgres.psql('in_place', `update state set state = 'old'; create view v as select * from state`)
  const target = await witness(bench, 'in_place')
  const broken = await restore('in_place', { as, more: { swap: 'false' } })
  await target.assertHarmless(broken, /other objects depend on it/, { secrets })
  const refused = await restore('in_place', { as })
  const says = /"plain" may not create databases \(CREATEDB\).*swap: false/
  await target.assertHarmless(refused, says, { secrets })
})

test('#29 a new database has the encoding and locale of the source, and nothing of what is in template1', async () => {
  const { postgres, folder } = bench
  await postgres.psql('template1', 'create table greeting (junk int)')
  try {
    await postgres.createDatabase('latin', `template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'`)
    await postgres.psql('latin', `create table greeting as select 'schön' as text`)
    const key = await bench.dump('folder', 'latin')
    const { locale } = JSON.parse(readFileSync(join(folder, `${key}.json`), 'utf8'))
    assert.equal(locale.encoding, 'LATIN1')
    const harm = await witness(bench)
    const run = succeeded(await bench.run('restore', 'folder', 'latin_copy', { 'dump-key': key }))
    assert.deepEqual(await readTables(postgres, 'latin_copy'), await readTables(postgres, 'latin'))
    assert.equal(await postgres.psql('latin_copy', 'select text from greeting'), 'schön')
    assert.equal(await postgres.psql('latin_copy', 'show server_encoding'), 'LATIN1')
    await postgres.psql('postgres', 'drop database latin_copy')
    await harm.assertClean(run)
  } finally {
    await postgres.psql('template1', 'drop table greeting')
  }
})
