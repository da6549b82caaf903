import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { compareDatabases, readCatalogue } from '../../../lab/postgres/compare.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

/** Whether a commit waits for the disk. */
const MODE = `select current_setting('synchronous_commit') as mode`

let bench: Bench
let key: string

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql(
    'app',
    `create table state as select 'new' as state; create table more (id int);
     set synchronous_commit = off; create materialized view while_restored as ${MODE}`,
  )
  await bench.postgres.psql('postgres', `create role plain login password 'simple'`)
  key = await bench.dump('folder', 'app')
})
after(() => bench?.[Symbol.asyncDispose]())

const state = (database: string) => bench.postgres.psql(database, 'select state from state')

/** A database of a user's, with other content than the dump. */
async function old(name: string): Promise<void> {
  await bench.postgres.createDatabase(name)
  await bench.postgres.psql(name, `create table state as select 'old' as state; create table gone (id int)`)
}

const restore = (database: string, more = {}) =>
  bench.run('restore', 'folder', database, { 'dump-key': key, ...more })

test('a missing target is created, an existing one replaced as a whole', async () => {
  const { postgres, folder } = bench
  await old('existing')
  for (const name of ['existing', 'missing']) {
    const run = succeeded(await restore(name))
    assert.deepEqual(await compareDatabases(postgres, 'app', postgres, name), [])
    const databases = await postgres.databases()
    assert.deepEqual(
      databases.filter((database) => database.startsWith(name)),
      [name],
    )
    await assertNothingLeft({ run, postgres, folder })
    assert.equal(run.outputs.database, name)
    assert.equal(run.outputs['previous-database'], undefined)
  }
})

test('reversible keeps the old database and the restored state before the hooks; only what is live waits for the disk', async () => {
  const { postgres, folder } = bench
  await old('tenant')
  const hook = `psql -Xqc "update state set state = 'hooked'; create table in_a_hook as ${MODE}"`
  for (const [jobs, previous] of [
    ['1', 'old'],
    ['2', 'hooked'],
  ] as const) {
    const run = succeeded(await restore('tenant', { reversible: 'true', 'pre-swap-hooks': hook, jobs }))
    assert.equal(run.outputs['previous-database'], 'tenant__pre')
    assert.deepEqual(await Promise.all(['tenant', 'tenant__pre', 'tenant__post'].map(state)), [
      'hooked',
      previous,
      'new',
    ])
    const names = (await postgres.databases()).filter((name) => name.startsWith('tenant'))
    assert.deepEqual(names, ['tenant', 'tenant__post', 'tenant__pre'])
    await assertNothingLeft({ run, postgres, folder })
    assert.equal(await postgres.psql('tenant', 'select mode from while_restored'), 'off')
    assert.equal(await postgres.psql('tenant', 'select mode from in_a_hook'), 'off')
    for (const live of ['tenant', 'tenant__post']) assert.equal(await postgres.psql(live, MODE), 'on')
  }
})

test('a role with CREATEDB that is no superuser replaces and creates databases', async () => {
  const { postgres, folder } = bench
  await postgres.psql('postgres', `create role deployer login createdb password 'deploys-it'`)
  await postgres.createDatabase('deployed', 'owner deployer')
  await postgres.psql(
    'deployed',
    `create table state as select 'old' as state; alter table state owner to deployer`,
  )
  await postgres.psql('postgres', 'grant connect on database deployed to plain')
  const before = await readCatalogue(postgres, 'deployed')
  for (const name of ['deployed', 'deployed_new']) {
    const url = postgres.url(name, { user: 'deployer', password: 'deploys-it' })
    const run = succeeded(
      await restore(name, { 'database-url': url, reversible: String(name === 'deployed') }),
    )
    assert.equal(await state(name), 'new')
    await assertNothingLeft({ run, postgres, folder })
  }
  assert.deepEqual(await readCatalogue(postgres, 'deployed'), before)
  assert.equal(await state('deployed__pre'), 'old')
  const url = postgres.url('existing', { user: 'deployer', password: 'deploys-it' })
  failed(await restore('existing', { 'database-url': url }), /"deployer" does not own "existing"/)
})

test('#25 tolerate-errors lets just these errors pass', async () => {
  const { postgres, folder } = bench
  await postgres.createDatabase('trusting')
  await postgres.psql(
    'trusting',
    `create role trusted_role; create table state as select 'new' as state;
     grant select on state to trusted_role`,
  )
  const granted = await bench.dump('folder', 'trusting', { 'owner-and-acl': 'true' })
  const dump = { 'dump-key': granted, 'owner-and-acl': 'true' }
  await postgres.psql('trusting', 'drop owned by trusted_role; drop role trusted_role')
  await old('tolerant')
  const other = { ...dump, 'tolerate-errors': 'extension "pg_cron"\nrole "other"' }
  const refused = failed(await restore('tolerant', other), /role "trusted_role" does not exist/)
  assert.equal(await state('tolerant'), 'old')
  await assertNothingLeft({ run: refused, postgres, folder })
  const one = { ...dump, 'tolerate-errors': 'nothing\nrole "trusted_.*" does not exist' }
  const run = succeeded(await restore('tolerant', one))
  assert.match(run.log, /tolerated .*trusted_role/)
  assert.equal(await state('tolerant'), 'new')
  await assertNothingLeft({ run, postgres, folder })
})

test('#37 names and passwords that need quoting everywhere', async () => {
  const hostile = `host=evil dbname=$(id) \`id\` it's "a" \\ 100% ünï; --`
  for (const name of [hostile.padEnd(61, 'x'), '-d']) {
    succeeded(await restore(name))
    assert.equal(await state(name), 'new')
    const copy = await bench.dump('folder', name)
    assert.match(copy, /^shop\/[\w-]+\/none\//)
  }
})
