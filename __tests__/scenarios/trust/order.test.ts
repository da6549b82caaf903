import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import { noClient, program } from '../../../lab/benches/session-bench.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'

let bench: LifecycleBench

/** In the order of pg_dump everything restores: `big`, `parent`, `the_child`. Both large tables are worth a connection. */
const ORDERED = `
  create table big (id int, filler text);
  create table parent (id int);
  create function parent_known(int) returns boolean language sql stable
    as 'select exists (select from public.parent where id = $1)';
  create table the_child (parent int, filler text, check (parent_known(parent)));
  alter table big alter filler set storage external; alter table the_child alter filler set storage external;
  insert into parent select generate_series(1, 5);
  insert into big select n, repeat(md5(n::text), 1000) from generate_series(1, 1200) as n;
  insert into the_child select 1 + n % 5, repeat(md5(n::text), 1000) from generate_series(1, 1150) as n;
  create function slow() returns int language plpgsql as 'begin perform pg_sleep(1); return 7; end';
  create materialized view a_first as select slow() as n;
  create function first_of() returns int language plpgsql as 'begin return (select n from public.a_first); end';
  create materialized view b_second as select first_of() as n;
`
const rows = '1150|5|7|7'
const count = (database: string) =>
  bench.postgres.psql(
    database,
    'select (select count(*) from the_child), (select count(*) from parent), (select n from a_first), (select n from b_second)',
  )

before(async () => {
  bench = await startLifecycleBench()
  await bench.postgres.createDatabase('ordered')
  await bench.postgres.psql('ordered', ORDERED)
})
after(() => bench?.[Symbol.asyncDispose]())

const inOrder =
  /in the order of the dump: constraint the_child_parent_check of public\.the_child calls public\.parent_known\(integer\)/
const oneByOne = /Refreshing materialized views one after the other: .* calls public\./

test('data and refreshes whose order matters keep it, with several jobs', { skip: noClient }, async () => {
  const { postgres } = bench
  const jobs = { jobs: '2' }
  const dumped = succeeded(await bench.run('dump', 'ordered', jobs))
  assert.match(dumped.log, /Dumping over one connection, to keep an order that can be restored: constraint/)
  const key = dumped.outputs['dump-key']!
  await postgres.createDatabase('plain')
  await promisify(execFile)(program('pg_restore'), ['-d', 'plain', join(bench.folder, key)], {
    env: postgres.env('plain'),
  })
  assert.equal(await count('plain'), rows)
  for (const [command, inputs] of [
    ['verify', { 'dump-key': key }],
    ['restore', { 'dump-key': key, 'database-url': postgres.url('restored') }],
    [
      'copy',
      {
        'source-database-url': postgres.url('ordered'),
        'database-url': postgres.url('copied'),
        'copy-method': 'stream',
      },
    ],
  ] as const) {
    const run = succeeded(await bench.run(command, 'ordered', { ...jobs, ...inputs }))
    assert.match(run.log, oneByOne)
    // Without sizes of the tables, a copy has a single share.
    if (command !== 'copy') assert.match(run.log, inOrder)
  }
  for (const database of ['restored', 'copied']) assert.equal(await count(database), rows)
})
