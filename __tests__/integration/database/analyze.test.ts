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

async function make(database: string): Promise<void> {
  await postgres.createDatabase(database)
  await postgres.psql(
    database,
    `create schema "Odd ""Schema"""; create table "Odd ""Schema"""."a, b" as select generate_series(1, 100) as n;
     create table plain as select n, n % 7 as m from generate_series(1, 1000) as n; create index on plain ((m * 2));
     create table parts (n int) partition by range (n); create table parts_1 partition of parts default;
     insert into parts select generate_series(1, 100); create materialized view seen as select * from plain;
     create table empty (n int); create table wide with (fillfactor = 10) as select n from generate_series(1, 70000) as n;
     create view only_seen as select 1 as one`,
  )
}

test('shared among sessions, it gives what one ANALYZE gives', { skip: noClient }, async () => {
  await make('alone')
  await make('shared')
  await analyzeDatabase({ open: () => bench.open('alone'), major: 15 }, 1)
  const start = postgres.log().length
  await analyzeDatabase({ open: () => bench.open('shared'), major: 15 }, 3)
  assert.equal(
    postgres
      .log()
      .slice(start)
      .match(/statement: ANALYZE /g)?.length,
    3,
  )
  assert.notEqual(await known('alone'), '0|0')
  assert.equal(await known('shared'), await known('alone'))
})

test('a server before 11 is told in one word', { skip: noClient }, async () => {
  await make('old')
  const start = postgres.log().length
  await analyzeDatabase({ open: () => bench.open('old'), major: 10 }, 3)
  assert.match(postgres.log().slice(start), /statement: ANALYZE\n/)
  assert.equal(await known('old'), await known('alone'))
})

test('a small database is analyzed in one session', { skip: noClient }, async () => {
  await postgres.createDatabase('small')
  await postgres.psql('small', 'create table t as select generate_series(1, 100) as n')
  let opened = 0
  const open = () => {
    opened += 1
    return bench.open('small')
  }
  await analyzeDatabase({ open, major: 15 }, 3)
  assert.equal(opened, 1)
  assert.equal(await known('small'), '1|1')
})
