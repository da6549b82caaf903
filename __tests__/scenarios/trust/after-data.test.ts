import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: LifecycleBench
const JOBS = ['1', '2']

before(async () => {
  bench = await startLifecycleBench()
})
after(() => bench?.[Symbol.asyncDispose]())

async function dumped(name: string, sql: string, inputs = {}): Promise<string> {
  await bench.postgres.createDatabase(name)
  await bench.postgres.psql(name, sql)
  return bench.dump(name, inputs)
}

test('an ANALYZE that fails is a warning that names the table, not the end of a complete restore', async () => {
  const { postgres } = bench
  const key = await dumped(
    'ratios',
    `create table ratios (n int); create statistics inverse on (1 / n) from ratios; insert into ratios values (0), (4);
     create table sound as select n from generate_series(1, 50) as n`,
  )
  await postgres.createDatabase('in_place')
  for (const inputs of [{ jobs: '1' }, { jobs: '2' }, { swap: 'false' }]) {
    const database = 'swap' in inputs ? 'in_place' : `ratios_${inputs.jobs}`
    const run = succeeded(await bench.run('restore', database, { 'dump-key': key, ...inputs }))
    assert.match(
      run.warnings.join('\n'),
      /The table "public"\."ratios" is restored, but ANALYZE fails.*division by zero/,
    )
    assert.equal(run.warnings.length, 1)
    const analyzed = "select count(*) from ratios, pg_stats where tablename = 'sound'"
    assert.equal(await postgres.psql(database, analyzed), '2')
  }
})

test('an owner who revoked his own rights is restored with every number of jobs', async () => {
  const { postgres } = bench
  await postgres.psql('postgres', `create role keeper login createdb password 'keeper'`)
  const key = await dumped(
    'kept',
    `create table notes as select n from generate_series(1, 9) as n; alter table notes owner to keeper;
     revoke all on notes from keeper; grant select on notes to public`,
    { 'owner-and-acl': 'true' },
  )
  for (const jobs of JOBS) {
    const database = `kept_${jobs}`
    const url = postgres.url(database, { user: 'keeper', password: 'keeper' })
    const inputs = { 'dump-key': key, 'database-url': url, 'owner-and-acl': 'true', jobs }
    succeeded(await bench.run('restore', database, inputs))
    const rights = "select count(*), has_table_privilege('keeper', 'notes', 'INSERT') from notes"
    assert.equal(await postgres.psql(database, rights), '9|f')
  }
})

test('an error of pg_restore or of psql names the entry and the statement, without rows', async () => {
  const { postgres } = bench
  // In the database that is restored, all rows look the same to indexes and constraints.
  const same = `create schema "Odd Schema"; create function same(text) returns text immutable language sql
    as 'select case when current_database() ~ ''^original'' then $1 else ''canary'' end';`
  const indexed = ['a', 'b', 'c'].map(
    (name) =>
      `create table "Odd Schema".${name} as select n::text as canary from generate_series(1, 9) as n;
       create unique index by_${name} on "Odd Schema".${name} (public.same(canary));`,
  )
  const checked = `create table bad (n text constraint own check (public.same(n) <> 'canary')); insert into bad values (7)`
  const cases: [string, RegExp][] = [
    [
      await dumped('original_1', same + indexed.join(' ')),
      /could not create unique index "by_([abc])" \[in INDEX Odd Schema\.by_\1: CREATE UNIQUE INDEX by_\1 ON "Odd Schema"\.\1 USING btree \(public\.same\(canary\)\);\]/,
    ],
    [
      await dumped('original_2', same + checked),
      /violates check constraint "own" \[in TABLE DATA public\.bad: COPY public\.bad \(n\) FROM stdin;\]/,
    ],
  ]
  await postgres.createDatabase('stays')
  for (const [key, where] of cases) {
    for (const jobs of JOBS) {
      const run = failed(await bench.run('restore', 'copies', { 'dump-key': key, jobs }), where)
      assert.doesNotMatch(run.visibleLog, /=\(canary\)|contains \(7\)/)
    }
    const run = failed(await bench.run('restore', 'stays', { 'dump-key': key, swap: 'false' }), where)
    assert.doesNotMatch(run.visibleLog, /=\(canary\)|contains \(7\)/)
  }
})

test('a refresh that needs another server names the view and the server', async () => {
  const { postgres } = bench
  await bench.make('remote', 'far away')
  const { host, port, user, password } = postgres
  const quoted = `'${password.replaceAll("'", "''")}'`
  const key = await dumped(
    'federated',
    `create extension postgres_fdw;
     create server far foreign data wrapper postgres_fdw options (host '${host}', port '${port}', dbname 'remote');
     create user mapping for public server far options (user '${user}', password ${quoted});
     create foreign table states (state text) server far options (table_name 'state');
     create view through as select * from states; create materialized view seen as select * from through`,
  )
  await postgres.psql('postgres', 'drop database remote')
  for (const jobs of JOBS)
    failed(
      await bench.run('restore', 'copied', { 'dump-key': key, jobs }),
      /could not connect to server "far".*\[in MATERIALIZED VIEW DATA public\.seen: REFRESH MATERIALIZED VIEW public\.seen;\]\. Refreshing the materialized view public\.seen reads from the foreign server "far"/,
    )
})
