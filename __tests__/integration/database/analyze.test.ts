import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noClient, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { analyzeDatabase } from '../../../src/database/analyze.ts'

const bench = await startSessionBench({ log_statement: 'all', autovacuum: 'off' })
const { postgres } = bench

/** Which columns the planner knows something of. */
const known = (database: string) =>
  postgres.psql(
    database,
    `select count(*), count(distinct tablename) from pg_stats where schemaname !~ '^pg_|^information'`,
  )

/** A table of more than a thousand pages. */
const wide = (name: string) =>
  `create table ${name} with (fillfactor = 10) as select n from generate_series(1, 70000) as n`

async function make(database: string): Promise<void> {
  await postgres.createDatabase(database)
  await postgres.psql(
    database,
    `create schema "Odd ""Schema"""; create table "Odd ""Schema"""."a, b" as select generate_series(1, 100) as n;
     create table plain as select n, n % 7 as m from generate_series(1, 1000) as n; create index on plain ((m * 2));
     create table parts (n int) partition by range (n); create table parts_1 partition of parts default;
     insert into parts select generate_series(1, 100); create materialized view seen as select * from plain;
     create table empty (n int); ${['wide', 'wider', 'widest'].map(wide).join('; ')};
     create view only_seen as select 1 as one`,
  )
}

/** How often the server's log has a text after a position. */
const logged = (start: number, pattern: RegExp) => postgres.log().slice(start).match(pattern)?.length

/** @returns how many sessions it took */
async function analyzeIn(database: string, major: number, jobs: number): Promise<number> {
  let opened = 0
  const open = () => {
    opened += 1
    return bench.open(database)
  }
  await analyzeDatabase({ open, major }, jobs)
  return opened
}

test('shared among sessions, it gives what one ANALYZE gives', { skip: noClient }, async () => {
  await make('alone')
  await make('shared')
  await analyzeIn('alone', 15, 1)
  const start = postgres.log().length
  assert.equal(await analyzeIn('shared', 15, 3), 3)
  assert.equal(logged(start, /statement: ANALYZE /g), 3)
  assert.notEqual(await known('alone'), '0|0')
  assert.equal(await known('shared'), await known('alone'))
})

test('a server before 11 is told in one word', { skip: noClient }, async () => {
  await make('old')
  const start = postgres.log().length
  await analyzeIn('old', 10, 3)
  assert.match(postgres.log().slice(start), /statement: ANALYZE\n/)
  assert.equal(await known('old'), await known('alone'))
})

test('a small database is analyzed in one session', { skip: noClient }, async () => {
  await postgres.createDatabase('small')
  await postgres.psql('small', 'create table t as select generate_series(1, 100) as n')
  assert.equal(await analyzeIn('small', 15, 3), 1)
  assert.equal(await known('small'), '1|1')
})

test('beside one large table, no session is opened for the small ones', { skip: noClient }, async () => {
  await postgres.createDatabase('one')
  await postgres.psql('one', wide('one'))
  const start = postgres.log().length
  assert.equal(await analyzeIn('one', 15, 3), 1)
  assert.equal(logged(start, /statement: ANALYZE/g), 1)
})
