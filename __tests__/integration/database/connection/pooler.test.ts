import assert from 'node:assert/strict'
import { test } from 'node:test'
import { environment, noClient, program, startSessionBench } from '../../../../lab/benches/session-bench.ts'
import { startPgBouncer } from '../../../../lab/postgres/pgbouncer.ts'
import { parseDatabaseUrl } from '../../../../src/database/connection/database-url.ts'
import { poolerProblem } from '../../../../src/database/connection/pooler.ts'
import { Session } from '../../../../src/database/connection/session.ts'
import { readInputs } from '../../../../src/inputs/read-inputs.ts'

test("providers' poolers are known by their hosts, with the way around them", () => {
  const cases: [string, RegExp | null][] = [
    [
      'aws-0-eu-central-1.pooler.supabase.com:6543',
      /Supabase's connection pooler .* port 5432 of the same host, which is session/,
    ],
    ['AWS-0-eu-central-1.pooler.Supabase.com:6543', /Supabase/],
    ['aws-0-eu-central-1.pooler.supabase.com:5432', null],
    ['aws-0-eu-central-1.pooler.supabase.com', null],
    ['db.abcdefghijklmnop.supabase.co:6543', /port 5432 of the same host$/],
    ['db.abcdefghijklmnop.supabase.co', null],
    [
      'ep-cool-rain-123456-pooler.us-east-2.aws.neon.tech',
      /use the direct host ep-cool-rain-123456\.us-east-2\.aws\.neon\.tech$/,
    ],
    ['ep-cool-rain-123456-pooler.us-east-2.aws.neon.tech:5432', /Neon's/],
    ['ep-cool-rain-123456.us-east-2.aws.neon.tech', null],
    ['my-pooler.internal.example.com:6432', null],
    ['db.example.com,ep-a-pooler.eu.azure.neon.tech', /use the direct host ep-a\.eu\.azure\.neon\.tech$/],
  ]
  for (const [host, problem] of cases) {
    const found = poolerProblem(parseDatabaseUrl(`postgres://user:canary@${host}/shop`))
    if (problem) assert.match(found ?? '', problem, host)
    else assert.equal(found, null, host)
  }
})

test('#06 they are refused before anything starts, source and target', () => {
  const pooled = 'postgres://user:pass@ep-a-pooler.eu.neon.tech/shop'
  const inputs = { 'INPUT_DATABASE-URL': pooled, 'INPUT_SOURCE-DATABASE-URL': pooled, INPUT_COMMAND: 'copy' }
  assert.throws(
    () => readInputs(inputs),
    /2 inputs are wrong: database-url leads .*; source-database-url leads /,
  )
  assert.doesNotThrow(() => readInputs({ 'INPUT_DATABASE-URL': pooled, INPUT_COMMAND: 'list' }))
})

const bench = await startSessionBench()
const { postgres } = bench
const options = { psql: program('psql'), environment, direct: true }
const through = (database: string, port: number) => parseDatabaseUrl(postgres.url(database, { port }))
const says =
  /postgres is a connection pooler in transaction mode \(PgBouncer .*; use the direct host and port of the server/

test('#06 PgBouncer in transaction mode is refused, idle and busy, and nothing is set in it', {
  skip: noClient,
}, async () => {
  await using pooler = await startPgBouncer(postgres, { mode: 'transaction' })
  const open = async () => {
    await using _ = await Session.open(through('postgres', pooler.port), options)
  }
  await assert.rejects(open, says)
  // Clients that come and go take the server processes in turn.
  let busy = true
  const client = async () => {
    while (busy) {
      await using session = await postgres.connect('postgres', { port: pooler.port })
      for (let n = 0; n < 20 && busy; n++) await session.query('select pg_sleep(0.005)')
    }
  }
  const clients = [client(), client(), client()]
  try {
    for (let n = 0; n < 3; n++) await assert.rejects(open, says)
  } finally {
    busy = false
    await Promise.all(clients)
  }
  await using session = await postgres.connect('postgres', { port: pooler.port })
  assert.equal(await session.text('show client_min_messages'), 'notice')
})

test('PgBouncer in session mode, and no pooler at all, are let through', { skip: noClient }, async () => {
  await using pooler = await startPgBouncer(postgres, { mode: 'session' })
  for (const port of [pooler.port, postgres.port]) {
    await using session = await Session.open(through('postgres', port), options)
    assert.deepEqual(await session.query('SELECT 1 AS one'), [{ one: 1 }])
  }
})

test('a role that may connect once only is let in', { skip: noClient }, async () => {
  await postgres.psql('postgres', `create role single login connection limit 1 password 'one-at-a-time'`)
  const url = postgres.url('postgres', { user: 'single', password: 'one-at-a-time' })
  await using session = await Session.open(parseDatabaseUrl(url), options)
  assert.deepEqual(await session.query('SELECT current_user AS name'), [{ name: 'single' }])
})

test('a pooler that refuses options, or does not list a database, says so', { skip: noClient }, async () => {
  await using pooler = await startPgBouncer(postgres, { mode: 'transaction', databases: ['app'] })
  const withOptions = postgres.url('app', {
    port: pooler.port,
    parameters: { options: '-c work_mem=8MB' },
  })
  await assert.rejects(
    Session.open(parseDatabaseUrl(withOptions), options),
    /pooler refuses the session settings of the action/,
  )
  await assert.rejects(
    Session.open(through('other', pooler.port), options),
    /pooler \(PgBouncer\) does not list the database "other"; use the direct host/,
  )
})
