import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noClient, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { whyDataIsOrdered, whyRefreshesAreOrdered } from '../../../src/database/load-order.ts'

const bench = await startSessionBench()
const { postgres } = bench

const FUNCTION = `create table other (id int);
  create function f(int) returns boolean immutable language sql as 'select exists (select from public.other)';`

const ordered: [string, string, RegExp | null][] = [
  [
    'check',
    'create table t (id int constraint known check (f(id)))',
    /constraint known of public\.t calls public\.f\(integer\)/,
  ],
  [
    'domain',
    'create domain d as int check (f(value)); create table t (id d)',
    /constraint d_check of public\.d calls/,
  ],
  [
    'generated',
    'create table t (id int, g boolean generated always as (f(id)) stored)',
    /generated column g of public\.t calls/,
  ],
  ['partitioned', 'create table t (id int) partition by list (f(id))', /partition key of public\.t calls/],
  [
    'operator',
    'create operator !! (procedure = f, rightarg = int); create table t (id int check (!! id))',
    /t_id_check of public\.t calls/,
  ],
  ['later', 'create table t (id int); alter table t add check (f(id)) not valid', null],
  [
    'default',
    `create table t (id int check (id > 0), b boolean default f(1), l text check (length(l) < 9),
     g int generated always as (id + 1) stored); create index on t (f(id)); create view v as select f(1)`,
    null,
  ],
]

for (const [name, sql, why] of ordered) {
  test(`data is loaded in its order: ${name}`, { skip: noClient }, async () => {
    await postgres.createDatabase(name)
    await postgres.psql(name, `${FUNCTION} ${sql}`)
    const found = await whyDataIsOrdered(await bench.open(name))
    if (why) assert.match(String(found), why)
    else assert.equal(found, null)
  })
}

test('domains of extensions do not order the data', { skip: noClient }, async () => {
  await postgres.createDatabase('extended')
  await postgres.psql('extended', 'create extension earthdistance cascade; create table t (place earth)')
  assert.equal(await whyDataIsOrdered(await bench.open('extended')), null)
})

const one = 'create materialized view a as select 1 as id;'
const refreshed: [string, string, RegExp | null][] = [
  ['alone', 'create materialized view m as select f(1) as f', null],
  ['known', `${one} create materialized view m as select length(id::text) from a`, null],
  [
    'query',
    `${one} create materialized view m as select f(1) as f`,
    /materialized view public\.m calls public\.f\(integer\)/,
  ],
  [
    'view',
    `${one} create view v as select f(1) as f; create materialized view m as select * from v`,
    /view public\.v calls/,
  ],
  [
    'aggregate',
    `${one} create function s(int, int) returns int language sql immutable as 'select 1';
     create aggregate agg(int) (sfunc = s, stype = int); create materialized view m as select agg(id) as x from a`,
    /calls public\.agg\(integer\)/,
  ],
  [
    'index',
    `${one} create materialized view m as select 1 as id; create index by_f on m (f(id))`,
    /index public\.by_f calls/,
  ],
]

for (const [name, sql, why] of refreshed) {
  test(`refreshes are in their order: ${name}`, { skip: noClient }, async () => {
    await postgres.createDatabase(name)
    await postgres.psql(name, `${FUNCTION} ${sql}`)
    const found = await whyRefreshesAreOrdered(await bench.open(name))
    if (why) assert.match(String(found), why)
    else assert.equal(found, null)
  })
}
