import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  catalogue,
  type LifecycleBench,
  marker,
  startLifecycleBench,
  temporaries,
} from '../../../lab/benches/lifecycle-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { compareDatabases } from '../../../lab/postgres/compare.ts'
import { type Postgres, startPostgres } from '../../../lab/postgres/postgres.ts'
import { loadSample } from '../../../lab/postgres/sample.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

let bench: LifecycleBench
let other: Postgres

before(async () => {
  bench = await startLifecycleBench()
  other = await startPostgres()
  await loadSample(bench.postgres, 'shop', { scale: 0.02 })
  await bench.make('small', 'source')
  await bench.postgres.psql(
    'small',
    `create schema extra; create table extra.log as select 1 as id; create table audit as select 1 as id`,
  )
})
after(async () => {
  await other?.[Symbol.asyncDispose]()
  await bench?.[Symbol.asyncDispose]()
})

const from = (database: string, more = {}) => ({
  'source-database-url': bench.postgres.url(database),
  ...more,
})

const byTemplate = /Copying the files of "small" on the server/
const byStream = /Copied .* rows/

test('a stream to another server brings everything, and leaves nothing', async () => {
  const { postgres } = bench
  const url = { 'database-url': other.url('arrived') }
  const run = succeeded(await bench.run('copy', '', { ...from('shop'), ...url }))
  assert.deepEqual(await compareDatabases(postgres, 'shop', other, 'arrived'), [])
  assert.equal(run.outputs.database, 'arrived')
  assert.equal(run.outputs['server-version'], other.version)
  assert.ok(Number(run.outputs['row-count']) > 1000)
  assert.match(run.summary, /a stream of `pg_dump` into `pg_restore`/)
  await assertNothingLeft({ run, postgres: other, databases: ['arrived', 'postgres'] })
  await assertNothingLeft({ run, postgres, databases: ['postgres', 'shop', 'small'] })
})

test('a copy of files is what the source is', async () => {
  const { postgres } = bench
  const run = succeeded(await bench.run('copy', 'filed', from('shop', { 'copy-method': 'template' })))
  assert.match(run.log, /Copying the files of "shop"/)
  assert.match(run.summary, /a copy of its files on the server/)
  assert.equal(run.outputs['row-count'], undefined)
  assert.deepEqual(await compareDatabases(postgres, 'shop', postgres, 'filed', { ownersAndGrants: true }), [])
  assert.deepEqual(await temporaries(bench), [])
})

const tablesOf = (database: string) =>
  bench.postgres.psql(
    database,
    `select string_agg(n.nspname || '.' || relname, ',' order by n.nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace
     where relkind = 'r' and nspname !~ '^pg_|^information'`,
  )

const filters: [string, Record<string, string>, string, string][] = [
  ['tables', { tables: 'state' }, 'public.state', '1'],
  ['exclude-tables', { 'exclude-tables': 'audit' }, 'extra.log,public.state', '2'],
  ['schemas', { schemas: 'extra' }, 'extra.log', '1'],
  ['exclude-schemas', { 'exclude-schemas': 'extra' }, 'public.audit,public.state', '2'],
  ['exclude-table-data', { 'exclude-table-data': 'audit' }, 'extra.log,public.audit,public.state', '2'],
  ['schema-only', { 'schema-only': 'true' }, 'extra.log,public.audit,public.state', '0'],
  ['pg-dump-args', { 'pg-dump-args': '--exclude-table=audit' }, 'extra.log,public.state', '2'],
]

test('each filter makes the copy a stream, and is applied', async () => {
  const copies = filters.map(async ([name, inputs, tables, rows]) => {
    const run = succeeded(await bench.run('copy', `by_${name}`, from('small', inputs)))
    assert.equal(run.outputs['row-count'], rows, name)
    assert.equal(await tablesOf(`by_${name}`), tables, name)
  })
  await Promise.all(copies)
  const nothing = from('small', { 'exclude-table-data': 'adit' })
  failed(await bench.run('copy', 'by_nothing', nothing), /Nothing in the database matches .*adit/)
  const both = from('small', { tables: 'state', 'copy-method': 'template' })
  failed(await bench.run('copy', 'by_nothing', both), /template is not possible, because a filter is given/)
  assert.ok(!(await bench.postgres.databases()).includes('by_nothing'))
})

test('hooks run on the source before, and on the copy before it is live', async () => {
  const workspace = tempFolder('workspace').path
  writeFileSync(join(workspace, 'mask.sql'), `update state set state = 'masked ' || state;`)
  for (const method of ['stream', 'template']) {
    const more = {
      'copy-method': method,
      'pre-dump-hooks': `psql -Xqc "insert into audit values (2)"`,
      'pre-swap-hooks': `mask.sql\npsql -Xqc "update state set state = state || ' ' || (current_database() <> 'hooked')"`,
      'verify-sql': `select state = 'masked source true' from state`,
    }
    succeeded(await bench.run('copy', 'hooked', from('small', more), { cwd: workspace }))
    assert.equal(await bench.state('hooked'), 'masked source true')
    assert.equal(await bench.state('small'), 'source')
    const audit = await bench.postgres.psql('hooked', 'select count(*) from audit where id = 2')
    assert.equal(audit, method === 'stream' ? '1' : '2')
  }
  const failing = from('small', { 'pre-swap-hooks': 'false' })
  failed(await bench.run('copy', 'hooked', failing), /pre-swap-hooks "false" failed/)
  const asserting = from('small', { 'verify-sql': `select state = 'other' from state` })
  failed(await bench.run('copy', 'hooked', asserting), /verify-sql|assertion/i)
  assert.equal(await bench.state('hooked'), 'masked source true')
  assert.deepEqual(await temporaries(bench), [])
})

test('owner, grants, settings, tablespace and comment of the target stay', async () => {
  const { postgres } = bench
  await postgres.psql('postgres', 'create role app_owner nologin')
  await using session = await postgres.connect('postgres')
  await session.query('set allow_in_place_tablespaces = on')
  await session.query(`create tablespace fast location ''`)
  await postgres.createDatabase('kept', 'tablespace fast')
  await postgres.psql('kept', `create table gone as select 1`)
  for (const change of [
    'alter database kept owner to app_owner',
    'revoke all on database kept from public',
    'alter database kept connection limit 7',
    `alter database kept set work_mem = '7MB'`,
    `comment on database kept is 'mine'`,
  ])
    await postgres.psql('postgres', change)
  const row = async () =>
    (await catalogue(bench)).map((one) => JSON.stringify(one)).find((text) => text.includes('"kept"'))!
  const withoutOid = (text: string) => text.replace(/"oid":\s*"?\d+"?/, '')
  const was = withoutOid(await row())
  for (const method of ['stream', 'template']) {
    const more = from('small', { 'copy-method': method, overwrite: 'true' })
    succeeded(await bench.run('copy', 'kept', more))
    assert.equal(await bench.state('kept'), 'source')
    assert.equal(withoutOid(await row()), was, method)
  }
})

test('reversible keeps the old database and the copy before the hooks', async () => {
  await bench.make('turned', 'old')
  const more = {
    reversible: 'true',
    overwrite: 'true',
    'pre-swap-hooks': `psql -Xqc "update state set state = 'hooked'"`,
  }
  const run = succeeded(await bench.run('copy', 'turned', from('small', more)))
  assert.equal(run.outputs['previous-database'], 'turned__pre')
  const states = await Promise.all(['turned', 'turned__pre', 'turned__post'].map(bench.state))
  assert.deepEqual(states, ['hooked', 'old', 'source'])
  assert.deepEqual(await temporaries(bench), [])
})

test('auto copies files when nobody is connected, and streams otherwise', async () => {
  assert.match(succeeded(await bench.run('copy', 'auto', from('small'))).log, byTemplate)
  await using session = await bench.postgres.connect('small')
  const streamed = succeeded(await bench.run('copy', 'auto', from('small')))
  assert.match(streamed.log, byStream)
  assert.doesNotMatch(streamed.log, byTemplate)
  assert.equal(await bench.state('auto'), 'source')
  assert.deepEqual(await temporaries(bench), [])
  const refused = failed(
    await bench.run('copy', 'auto', from('small', { 'copy-method': 'template' })),
    /copy-method: template is not possible, because the source has 1 session \(disconnect-source: true/,
  )
  assert.equal(refused.errors.length, 1)
  assert.equal(await session.text('select 1'), '1', 'nobody was disconnected')
})

test('disconnect-source ends the sessions of the source, and of nothing else', async () => {
  await using session = await bench.postgres.connect('small')
  await using bystander = await bench.postgres.connect('shop')
  const more = { 'copy-method': 'template', 'disconnect-source': 'true' }
  assert.match(succeeded(await bench.run('copy', 'cut', from('small', more))).log, byTemplate)
  await assert.rejects(session.query('select 1'))
  assert.equal(await bystander.text('select 1'), '1')
  assert.equal(await bench.state('cut'), 'source')
})

test('copy-method: template says why it is not possible', async () => {
  const { postgres } = bench
  const elsewhere = { ...from('small', { 'copy-method': 'template' }), 'database-url': other.url('nowhere') }
  failed(await bench.run('copy', '', elsewhere), /because the source is on another server/)
  await postgres.psql('postgres', `create role maker login createdb password 'm'`)
  const asMaker = { 'database-url': postgres.url('nowhere', { user: 'maker', password: 'm' }) }
  const refused = await bench.run('copy', '', { ...from('small', { 'copy-method': 'template' }), ...asMaker })
  failed(refused, /because "maker" does not own the source/)
  assert.ok(!(await other.databases()).includes('nowhere'))
})

test('a database is not copied onto itself, however the two are spelt', async () => {
  const { postgres } = bench
  const [before] = await postgres.query('small', `select oid from pg_database where datname = 'small'`)
  const socket = postgres
    .url('small')
    .replace(`@${postgres.host}:`, `@${encodeURIComponent(postgres.socketDir)}:`)
  const spellings = [
    postgres.url('small'),
    postgres.url('small', { host: 'localhost' }),
    postgres.url('small', { parameters: { hostaddr: postgres.host } }),
    socket,
  ]
  for (const url of spellings) {
    const inputs = from('small', { 'database-url': url, overwrite: 'true' })
    failed(await bench.run('copy', '', inputs), /are the same database, "small" of one server/)
  }
  const dry = from('small', { overwrite: 'true', 'dry-run': 'true', 'copy-method': 'stream' })
  failed(await bench.run('copy', 'small', dry), /are the same database/)
  const [after] = await postgres.query('small', `select oid from pg_database where datname = 'small'`)
  assert.deepEqual(after, before)
})

test('hooks do not touch the source of a copy that is refused', async () => {
  await bench.make('not_ours', 'old')
  const more = from('small', { 'pre-dump-hooks': `psql -Xqc "insert into audit values (99)"` })
  failed(await bench.run('copy', 'not_ours', more), /set overwrite: true/)
  assert.equal(await bench.postgres.psql('small', 'select count(*) from audit where id = 99'), '0')
})

test('the source stays as it is, and the copy is ours', async () => {
  const { postgres } = bench
  assert.equal(await marker(bench, 'small'), null)
  assert.equal(await marker(bench, 'shop'), null)
  assert.equal((await marker(bench, 'auto'))?.kind, 'clone')
  assert.equal(await postgres.psql('small', 'select state from state'), 'source')
})
