import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { noClient, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { EVERYTHING } from '../../../lab/postgres/whole-database.ts'
import { resolveFilters } from '../../../src/database/selection.ts'
import { parseMaskFile } from '../../../src/masking/mask-file.ts'
import { planMasks } from '../../../src/masking/plan.ts'
import { readTables } from '../../../src/masking/read-tables.ts'
import { tryPlan } from '../../../src/masking/try-plan.ts'

const bench = await startSessionBench()

before(async () => {
  await bench.postgres.createDatabase('try')
  await bench.postgres.psql(
    'try',
    `CREATE TYPE mood AS ENUM ('good');
     CREATE TABLE users (id int, mood mood, born date, "odd'name" text);
     INSERT INTO users VALUES (0, 'good', '2000-01-01', 'x');
     CREATE TABLE events (id int) PARTITION BY RANGE (id);
     CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (9);
     INSERT INTO events VALUES (0);`,
  )
})

/** Tries a file in the transaction of a dump, and shows that the transaction is usable afterwards. */
async function attempt(text: string): Promise<string> {
  await using session = await bench.open('try')
  await session.execute('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const selection = await resolveFilters(session, EVERYTHING)
  const catalog = await readTables(session, { selection, extensions: [], major: 15 })
  const options = { pgDumpArgs: [], keepsLargeObjects: false }
  const plan = planMasks(parseMaskFile('mask.yml', text), catalog, options)
  const message = await tryPlan(session, plan).then(
    () => 'accepted',
    (error: Error) => error.message,
  )
  assert.deepEqual(await session.query('SELECT 1 AS one'), [{ one: 1 }])
  return message
}

const file = (users: string, events: string) => `tables:
  public.users:
    keep: [id]
    ${users}
  public.events: ${events}`

test('SQL of a mask file that the server accepts, without a row being read', { skip: noClient }, async () => {
  const users = `rows: 1 / id > 0
    unless: born IS NULL
    columns: {mood: {value: good}, born: {sql: "date_trunc('year', born)::date"}, odd'name: token}`
  assert.equal(await attempt(file(users, '{keep: [id], rows: 1 / id > 0}')), 'accepted')
})

test('everything that the server refuses is in one message', { skip: noClient }, async () => {
  const users = `columns: {mood: {value: better}, born: "null", odd'name: empty}`
  const message = await attempt(file(users, '{keep: [id], rows: agee > 5}'))
  assert.deepEqual(message.split('\n'), [
    'mask mask.yml has SQL that the server refuses, so nothing was dumped:',
    '  public.events_1: column "agee" does not exist',
    `  public.users: invalid input value for enum public.mood: "better"`,
  ])
})
