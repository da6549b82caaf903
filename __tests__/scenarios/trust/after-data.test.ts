import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'

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
