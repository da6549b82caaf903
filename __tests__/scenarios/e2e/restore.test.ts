import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { compareDatabases, readCatalogue } from '../../../lab/postgres/compare.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: Bench
let key: string

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql('app', `create table state as select 'new' as state; create table more (id int)`)
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

test('nothing waits for the disk before the swap, and everything that is live does', async () => {
  const { postgres } = bench
  await postgres.createDatabase('modes')
  const modes = `select current_setting('synchronous_commit') as mode`
  await postgres.psql('modes', `create materialized view while_restored as ${modes}`)
  const modeKey = await bench.dump('folder', 'modes')
  const hook = ['create table in_a_hook as', modes].join(' ')
  for (const jobs of ['1', '2']) {
    const hooks = { 'pre-swap-hooks': `psql -c "${hook}"`, reversible: 'true', jobs }
    succeeded(await restore('mode', { 'dump-key': modeKey, ...hooks }))
    assert.equal(await postgres.psql('mode', 'select mode from while_restored'), 'off')
    assert.equal(await postgres.psql('mode', 'select mode from in_a_hook'), 'off')
    assert.equal(await postgres.psql('mode', modes), 'on')
    assert.equal(await postgres.psql('mode__post', modes), 'on')
  }
  for (const name of ['modes', 'mode', 'mode__pre', 'mode__post'])
    await postgres.psql('postgres', `drop database ${name}`)
})

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

test('reversible keeps the old database and the restored state before the hooks', async () => {
  const { postgres, folder } = bench
  await old('tenant')
  const more = { reversible: 'true', 'pre-swap-hooks': `psql -Xqc "update state set state = 'hooked'"` }
  for (const previous of ['old', 'hooked']) {
    const run = succeeded(await restore('tenant', more))
    assert.equal(run.outputs['previous-database'], 'tenant__pre')
    assert.deepEqual(await Promise.all(['tenant', 'tenant__pre', 'tenant__post'].map(state)), [
      'hooked',
      previous,
      'new',
    ])
    const names = (await postgres.databases()).filter((name) => name.startsWith('tenant'))
    assert.deepEqual(names, ['tenant', 'tenant__post', 'tenant__pre'])
    await assertNothingLeft({ run, postgres, folder })
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
  for (const name of ['deployed', 'deployed_new', 'deployed_new']) {
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
  const refused = failed(await restore('tolerant', dump), /role "trusted_role" does not exist/)
  assert.equal(await state('tolerant'), 'old')
  await assertNothingLeft({ run: refused, postgres, folder })
  const other = { ...dump, 'tolerate-errors': 'extension "pg_cron"\nrole "other"' }
  failed(await restore('tolerant', other), /trusted_role/)
  const one = { ...dump, 'tolerate-errors': 'nothing\nrole "trusted_.*" does not exist' }
  const run = succeeded(await restore('tolerant', one))
  assert.match(run.log, /tolerated .*trusted_role/)
  assert.equal(await state('tolerant'), 'new')
  await assertNothingLeft({ run, postgres, folder })
})

test('#37 names and passwords that need quoting everywhere', async () => {
  for (const name of [`it's "a" \\ 100% ünï; -- x`, 'host=evil dbname=$(id) `id`', '-d', 'x'.repeat(63)]) {
    succeeded(await restore(name))
    assert.equal(await state(name), 'new')
    const copy = await bench.dump('folder', name)
    assert.match(copy, /^shop\/[\w-]+\/none\//)
  }
})
