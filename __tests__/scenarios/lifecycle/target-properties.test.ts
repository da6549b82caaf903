/** What the role may not give to the new database, or the server does not have, is said before the work. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Inputs,
  type LifecycleBench,
  startLifecycleBench,
  temporaries,
} from '../../../lab/benches/lifecycle-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: LifecycleBench

const OTHER = 'simple-canary'

before(async () => {
  bench = await startLifecycleBench({ settings: { allow_in_place_tablespaces: 'on' } })
  const { postgres } = bench
  await bench.make('source', 'dumped')
  for (const name of ['deploy', 'app'])
    await postgres.psql('postgres', `create role ${name} login createdb password '${OTHER}'`)
})
after(() => bench?.[Symbol.asyncDispose]())

/** The ways in which a new database comes, of which each must say the same in a dry run. */
async function ways(): Promise<[string, Inputs][]> {
  const key = await bench.dump('source')
  const copy = { 'source-database-url': bench.postgres.url('source'), 'copy-method': 'stream' }
  return [
    ['restore', { 'dump-key': key, jobs: '1' }],
    ['restore', { 'dump-key': key, jobs: '3' }],
    ['copy', copy],
  ]
}

test('C12 settings that only an administrator may make are named, and the others stay', async () => {
  const { postgres } = bench
  const as = { user: 'deploy', password: OTHER }
  const settings = () =>
    postgres.psql(
      'postgres',
      `select string_agg(s, ' ' order by s) from pg_db_role_setting r, unnest(setconfig) s
       where setdatabase = (select oid from pg_database where datname = 'live')`,
    )
  for (const [command, what] of await ways()) {
    await bench.make('live', 'old')
    await postgres.psql('live', 'alter table state owner to deploy')
    for (const statement of [
      'alter database live owner to deploy',
      `alter database live set work_mem = '7MB'`,
      `alter database live set log_min_duration_statement = '250ms'`,
      `alter role app in database live set statement_timeout = '5s'`,
    ])
      await postgres.psql('postgres', statement)
    const inputs = { ...what, overwrite: 'true', 'database-url': postgres.url('live', as) }
    const before = await settings()
    for (const more of what.jobs === '3' ? [{}] : [{ 'dry-run': 'true' }, {}]) {
      const run = succeeded(await bench.run(command, 'live', { ...inputs, ...more }))
      const [warning = ''] = run.warnings.filter((text) => /only an administrator may make/.test(text))
      assert.match(warning, /log_min_duration_statement=250ms \(permission denied/)
      assert.match(warning, /statement_timeout=5s of the role "app" \(.*permission denied|must/)
      assert.doesNotMatch(warning, /work_mem/)
      if ('dry-run' in more) assert.equal(await settings(), before)
    }
    assert.equal(await bench.state('live'), 'dumped')
    assert.equal(await settings(), 'work_mem=7MB')
    assert.deepEqual(await temporaries(bench), [])
    await postgres.psql('postgres', 'drop database live')
  }
})

test('C14 what was in a tablespace that the target lacks goes into the default one', async () => {
  const { postgres } = bench
  await postgres.psql('postgres', `create tablespace fast location ''`)
  await postgres.psql(
    'source',
    `create table hot (id int primary key using index tablespace fast) tablespace fast;
     insert into hot select generate_series(1, 20); create index hot_idx on hot ((id % 5)) tablespace fast;
     create materialized view seen tablespace fast as select * from hot;
     create table parts (id int) partition by range (id) tablespace fast;
     create table part_1 partition of parts for values from (0) to (9); insert into parts values (1)`,
  )
  const [first, second] = await ways()
  const says = /The target has no tablespace "fast" in which the role may create tables/
  const moved = async (database: string) =>
    assert.equal(
      await postgres.psql(
        database,
        `select count(*) from pg_class where reltablespace <> 0 and not relisshared`,
      ),
      '0',
    )
  // A role without rights there is no better off than one on another server.
  const as = { 'database-url': postgres.url('copied', { user: 'deploy', password: OTHER }) }
  const copy = { 'source-database-url': postgres.url('source'), 'copy-method': 'stream', ...as }
  for (const more of [{ 'dry-run': 'true' }, {}])
    assert.match(succeeded(await bench.run('copy', 'copied', { ...copy, ...more })).warnings.join(), says)
  await moved('copied')

  await postgres.psql('postgres', 'drop database source')
  await postgres.psql('postgres', 'drop tablespace fast')
  await postgres.createDatabase('place')
  for (const [command, what] of [first!, second!]) {
    // Only a run restores in parallel.
    const runs: Inputs[] = what.jobs === '3' ? [{}] : [{ 'dry-run': 'true' }, {}]
    for (const more of runs)
      assert.match(
        succeeded(await bench.run(command, 'restored', { ...what, ...more })).warnings.join(),
        says,
      )
    assert.equal(await postgres.psql('restored', 'select count(*) from hot'), '20')
    await moved('restored')
    assert.match(succeeded(await bench.run('verify', 'postgres', what)).warnings.join(), says)
    for (const more of runs)
      assert.match(
        succeeded(
          await bench.run(command, 'place', { ...what, swap: 'false', overwrite: 'true', ...more }),
        ).warnings.join(),
        says,
      )
    await moved('place')
  }
})

test('a target in a tablespace that the role may not use is refused before the work', async () => {
  const { postgres } = bench
  await postgres.psql('postgres', `create tablespace slow location ''`)
  await bench.make('origin', 'dumped')
  const key = await bench.dump('origin')
  await postgres.createDatabase('elsewhere', 'owner deploy tablespace slow')
  const as = { 'database-url': postgres.url('elsewhere', { user: 'deploy', password: OTHER }) }
  const run = () => bench.run('restore', 'elsewhere', { 'dump-key': key, 'dry-run': 'true', ...as })
  failed(await run(), /may not create a database in the tablespace "slow" of the target; GRANT CREATE/)
  await postgres.psql('postgres', 'grant create on tablespace slow to deploy')
  succeeded(await run())
})
