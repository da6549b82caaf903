import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noClient, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { until } from '../../../lab/until.ts'
import { lookAtServer } from '../../../src/database/server.ts'
import { writeEarly } from '../../../src/database/write-early.ts'

const bench = await startSessionBench({ log_checkpoints: 'on', checkpoint_timeout: '1d' })
const { postgres } = bench

/** Runs it as a role, and returns what the server logged until its answer to the next statement. */
async function logOf(user: string, mark: string): Promise<string> {
  const start = postgres.log().length
  const session = await bench.open('postgres', { user, password: 'secret' })
  await writeEarly(session, await lookAtServer(session))
  await postgres.psql('postgres', `do $$ begin raise log '${mark}'; end $$`)
  await until(() => postgres.log().slice(start).includes(mark), 'the mark in the log')
  return postgres.log().slice(start)
}

test('the server writes early for roles that may ask for it, and others do not ask', {
  skip: noClient,
}, async () => {
  await postgres.psql(
    'postgres',
    `create role boss superuser login password 'secret'; create role plain login password 'secret';
     create role writer login password 'secret'; grant pg_checkpoint to writer`,
  )
  const asked = /checkpoint starting: immediate force wait/
  assert.match(await logOf('boss', 'after boss'), asked)
  assert.match(await logOf('writer', 'after writer'), asked)
  const log = await logOf('plain', 'after plain')
  assert.doesNotMatch(log, /checkpoint|ERROR/)
})

test('a server that refuses all the same is not an error', { skip: noClient }, async () => {
  const session = await bench.open('postgres', { user: 'plain', password: 'secret' })
  const server = await lookAtServer(session)
  const start = postgres.log().length
  await writeEarly(session, { ...server, superuser: true })
  assert.match(postgres.log().slice(start), /must be superuser|permission denied/)
})
