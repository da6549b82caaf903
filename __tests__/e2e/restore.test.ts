import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { compareDatabases } from '../support/compare.ts'
import { assertNothingLeft } from '../support/leftovers.ts'
import { type Bench, failed, startBench, succeeded } from './bench.ts'

let bench: Bench
let key: string

before(async () => {
  bench = await startBench({ settings: { synchronous_commit: 'on' } })
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql('app', `create table state as select 'new' as state; create table more (id int)`)
  await bench.postgres.psql(
    'postgres',
    `create role app_owner nologin; create role "Böse ""Rolle""" login; create role plain login password 'simple'`,
  )
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

/** All that pg_database and its shared catalogues say about a database, but for its oid and what changes by itself. */
async function catalogue(name: string): Promise<unknown> {
  const [row] = await bench.postgres.query(
    'postgres',
    `select (to_jsonb(d) - '{oid,datfrozenxid,datminmxid,datacl}'::text[])
       || jsonb_build_object('owner', datdba::regrole, 'tablespace', dattablespace,
         'acl', (select array_agg(a::text order by a::text) from unnest(datacl) a),
         'comment', shobj_description(oid, 'pg_database'),
         'settings', (select jsonb_object_agg(setrole::regrole, setconfig) from pg_db_role_setting where setdatabase = d.oid)) as row
     from pg_database d where datname = $1`,
    [name],
  )
  return row
}

test('nothing waits for the disk while it is restored, and everything that is live does', async () => {
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
    assert.equal(await postgres.psql('mode', 'select mode from in_a_hook'), 'on')
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

test('#32 owner, grants, limits, settings and comment of the target stay', async () => {
  const { postgres } = bench
  const name = 'kept "as" it is'
  await old(name)
  const target = `database "${name.replaceAll('"', '""')}"`
  for (const statement of [
    `alter ${target} owner to app_owner`,
    `alter ${target} connection limit 17`,
    `revoke all on ${target} from public`,
    `grant connect on ${target} to "Böse ""Rolle"""`,
    `grant create, temporary on ${target} to plain with grant option`,
    `alter ${target} set search_path to "$user", public, "my ""schema"""`,
    `alter ${target} set work_mem = '7MB'`,
    `alter ${target} set my.setting = 'it''s; "quoted" \\ and empty '`,
    `alter role "Böse ""Rolle""" in ${target} set statement_timeout = '5s'`,
    `comment on ${target} is 'It''s ours; \\ not yours'`,
  ])
    await postgres.psql('postgres', statement)
  const before = await catalogue(name)
  for (let round = 0; round < 2; round++) {
    succeeded(await restore(name))
    assert.deepEqual(await catalogue(name), before)
    assert.equal(await state(name), 'new')
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

test('#34 swap: false restores in place, in one transaction, without the right to create databases', async () => {
  const { postgres, folder } = bench
  await old('in_place')
  await postgres.psql('postgres', 'alter database in_place owner to plain')
  await postgres.psql('in_place', 'alter table state owner to plain; alter schema public owner to plain')
  const more = {
    swap: 'false',
    'database-url': postgres.url('in_place', { user: 'plain', password: 'simple' }),
  }
  const [before] = await postgres.query('postgres', "select oid from pg_database where datname = 'in_place'")
  const run = succeeded(await restore('in_place', more))
  assert.equal(await state('in_place'), 'new')
  assert.equal(await postgres.psql('in_place', "select count(*) from pg_class where relname = 'gone'"), '1')
  const [after] = await postgres.query('postgres', "select oid from pg_database where datname = 'in_place'")
  assert.deepEqual(after, before)
  await assertNothingLeft({ run, postgres, folder })

  await postgres.psql('in_place', `update state set state = 'old'; create view v as select * from state`)
  failed(await restore('in_place', more), /other objects depend on it/)
  assert.equal(await state('in_place'), 'old')
  const refused = await restore('in_place', { ...more, swap: 'true' })
  failed(refused, /"plain" may not create databases \(CREATEDB\).*swap: false/)
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
  const before = await catalogue('deployed')
  for (const name of ['deployed', 'deployed_new', 'deployed_new']) {
    const url = postgres.url(name, { user: 'deployer', password: 'deploys-it' })
    const run = succeeded(
      await restore(name, { 'database-url': url, reversible: String(name === 'deployed') }),
    )
    assert.equal(await state(name), 'new')
    await assertNothingLeft({ run, postgres, folder })
  }
  assert.deepEqual(await catalogue('deployed'), before)
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

test('#29 encoding and locale of the source come along', async () => {
  const { postgres } = bench
  await postgres.createDatabase('latin', `template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'`)
  await postgres.psql('latin', `create table state as select 'schön' as state`)
  const latin = await bench.dump('folder', 'latin')
  const manifest = JSON.parse(readFileSync(join(bench.folder, `${latin}.json`), 'utf8'))
  assert.equal(manifest.locale.encoding, 'LATIN1')
  succeeded(await restore('latin_copy', { 'dump-key': latin }))
  assert.equal(await state('latin_copy'), 'schön')
  assert.equal(await postgres.psql('latin_copy', 'show server_encoding'), 'LATIN1')
})

test('#37 names and passwords that need quoting everywhere', async () => {
  for (const name of [
    `it's "a" \\ 100% ünï; -- x`,
    'host=evil dbname=x',
    '$(id) `id`',
    '-d',
    'x'.repeat(63),
  ]) {
    succeeded(await restore(name))
    assert.equal(await state(name), 'new')
    const copy = await bench.dump('folder', name)
    assert.match(copy, /^shop\/[\w-]+\/none\//)
  }
})
