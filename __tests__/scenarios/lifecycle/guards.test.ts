import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  catalogue,
  comment,
  type Inputs,
  marker,
  useDumpedSource,
} from '../../../lab/benches/lifecycle-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { parseDatabaseUrl } from '../../../src/database/connection/database-url.ts'
import { findContent } from '../../../src/database/contents.ts'
import { checkProtected, isProtected } from '../../../src/restoring/guards.ts'
import { currentEnvironment } from '../../../src/tools/options.ts'
import { findPostgresClients } from '../../../src/tools/postgres/provide-client.ts'

const { bench, key } = await useDumpedSource()

/** Restores or copies the same content. */
function write(command: string, database: string, more: Inputs = {}, options = {}) {
  const what =
    command === 'copy'
      ? { 'source-database-url': bench.postgres.url('source'), 'copy-method': 'stream' }
      : { 'dump-key': key }
  return bench.run(command, database, { ...what, ...more }, options)
}

/** An extension whose table has rows of a user, which `pg_dump` dumps, as those of PostGIS and pg_cron have. */
const CONFIGURATION = `
  create extension citext; create table setting as select 1 as id; alter extension citext add table setting;
  update pg_extension set extconfig = array['setting'::regclass], extcondition = array[''] where extname = 'citext'`

/** Its function belongs to an extension, so that the trigger is alone. */
const EVENT_TRIGGER = `
  create extension citext; create function f() returns event_trigger language plpgsql as 'begin end';
  alter extension citext add function f(); create event trigger e on sql_drop execute function f()`

/** Kinds of objects, each of which alone makes a database worth keeping, and how the error names it. */
const notEmpty: [string, string][] = [
  ['TABLE public\\.t', 'create table t ()'],
  ['SCHEMA s', 'create schema s'],
  ['VIEW public\\.v', 'create view v as select 1'],
  ['SEQUENCE public\\.s', 'create sequence s'],
  ['TYPE public\\.mood', `create type mood as enum ('well')`],
  ['FUNCTION public\\.f', 'create function f() returns int language sql return 1'],
  ['BLOB', `select lo_from_bytea(0, 'x')`],
  ['SERVER other', 'create extension postgres_fdw; create server other foreign data wrapper postgres_fdw'],
  ['PUBLICATION p', 'create publication p'],
  ['OPERATOR public\\.===', 'create operator === (function = int4eq, leftarg = int4, rightarg = int4)'],
  ['CAST', 'create cast (money as bigint) with inout'],
  ['EVENT TRIGGER e', EVENT_TRIGGER],
  ['TEXT SEARCH CONFIGURATION public\\.c', 'create text search configuration c (copy = simple)'],
  ['COLLATION public\\.c', `create collation c from "C"`],
  ['DEFAULT ACL', 'alter default privileges grant select on tables to pg_monitor'],
  ['ACL .*SCHEMA public', 'grant create on schema public to pg_monitor'],
  ['COMMENT .*SCHEMA public', `comment on schema public is 'mine'`],
  ['rows of public\\.setting', CONFIGURATION],
]

test('what pg_dump would dump something of is not empty, and is not replaced', async () => {
  const { postgres } = bench
  const client = (await findPostgresClients(currentEnvironment())).find(
    ({ major }) => major >= Number.parseInt(postgres.version, 10),
  )!
  for (const [index, [what, sql]] of notEmpty.entries()) {
    const name = `holds_${index}`
    await postgres.createDatabase(name)
    await postgres.psql(name, sql)
    const connection = parseDatabaseUrl(postgres.url(name))
    const content = await findContent(connection, client, { environment: process.env, lockWaitTimeout: 1000 })
    assert.match(content ?? '', new RegExp(`^${what}`))
  }
  // A table is found without a dump.
  for (const [command, index] of [
    ['restore', 0],
    ['copy', 1],
    ['restore', notEmpty.length - 1],
  ] as const) {
    const [name, [what]] = [`holds_${index}`, notEmpty[index]!]
    const run = await write(command, name, { 'dry-run': 'true' })
    const says = 'exists, is not empty and was not made by this action; set overwrite: true to replace it'
    failed(run, new RegExp(`"${name}" ${says} \\(it has: ${what}`))
  }
  await postgres.createDatabase('closed', 'allow_connections false')
  failed(await write('restore', 'closed'), /set overwrite: true/)
})

test('what is empty is replaced, an extension or not, and what is ours again and again', async () => {
  const { postgres } = bench
  for (const command of ['restore', 'copy']) {
    const name = `empty_${command}`
    await postgres.createDatabase(name)
    await postgres.psql(name, 'create extension citext; create extension pg_stat_statements')
    succeeded(await write(command, name))
    assert.equal(await bench.state(name), 'dumped')
  }
  for (const command of ['restore', 'copy', 'restore']) {
    succeeded(await write(command, 'ours'))
    const { kind, of } = (await marker(bench, 'ours'))!
    assert.deepEqual([kind, of], ['clone', 'ours'])
  }
})

test('overwrite: true replaces what is not ours, whose comment stays and which does not become ours', async () => {
  for (const text of ['mine', null]) {
    const name = `over_${text}`
    await bench.make(name, 'old')
    if (text) await bench.postgres.psql('postgres', `comment on database ${name} is '${text}'`)
    failed(await write('restore', name), /set overwrite: true/)
    assert.equal(await bench.state(name), 'old')
    for (const command of text ? ['restore', 'copy'] : ['restore']) {
      succeeded(await write(command, name, { overwrite: 'true' }))
      assert.equal(await bench.state(name), 'dumped')
      assert.equal(await comment(bench, name), text)
    }
    failed(await bench.run('drop', name), /was not made by this action/)
  }
})

const host = 'db.example.com'
const patterns: [string, string, boolean][] = [
  [`${host}/app`, `postgres://${host}/app`, true],
  [`${host}/app`, `postgres://${host}:6543/app?sslmode=require`, true],
  [`${host}/app`, `postgres://${host}/app2`, false],
  [`${host}/app`, 'postgres://db-example.com/app', false],
  [`${host}/*`, `postgres://${host}/anything`, true],
  ['*/production', `postgres://${host}/production`, true],
  ['*/production', `postgres://${host}/production_copy`, false],
  ['*/prod*', `postgres://${host}/production_copy`, true],
  ['production', `postgres://${host}/production`, true],
  ['production', `postgres://${host}/preview`, false],
  ['*.example.com/*', `postgres://${host}/x`, true],
  ['*.example.com/*', 'postgres://example.com/x', false],
  ['DB.Example.COM/APP', `postgres://${host}/app`, true],
  [`${host}/app`, `postgres://other,${host}:6543/app`, true],
  ['10.0.0.1/app', `postgres://${host}/app?hostaddr=10.0.0.1`, true],
  ['/var/run/postgresql/app', 'postgres://%2Fvar%2Frun%2Fpostgresql/app', true],
  ['*/app', 'postgres:///app', true],
  [`${host}/a+b(c)`, `postgres://${host}/a+b(c)`, true],
  [`${host}/a.b`, `postgres://${host}/axb`, false],
  ['*/x*', `postgres://${host}/x%0Ay`, true],
  ['*/*', `postgres://${host}/app`, true],
]

test('patterns of protected-databases', () => {
  for (const [pattern, url, expected] of patterns)
    assert.equal(isProtected(pattern, parseDatabaseUrl(url)), expected, `${pattern} on ${url}`)
  const server = { protectedDatabases: [], command: 'restore' as const }
  for (const name of ['postgres', 'template0', 'template1'])
    assert.throws(
      () => checkProtected(server, parseDatabaseUrl(`postgres://h/${name}`)),
      /belongs to the server/,
    )
  checkProtected(server, parseDatabaseUrl('postgres://h/postgres2'))
})

test('a protected database is written by no command, whatever else is said', async () => {
  await bench.make('production', 'live')
  const before = await catalogue(bench)
  const guard = { 'protected-databases': 'other/*\n*/production', overwrite: 'true', force: 'true' }
  const says = /"127\.0\.0\.1:\d+\/production" is protected by the pattern \*\/production/
  failed(await write('restore', 'production', guard), says)
  failed(await write('restore', 'production', { ...guard, swap: 'false' }), says)
  failed(await write('copy', 'production', guard), says)
  failed(await bench.run('drop', 'production', guard), says)
  assert.deepEqual(await catalogue(bench), before)
  assert.equal(await bench.state('production'), 'live')
  // It may still be read.
  const read = { ...guard, 'source-database-url': bench.postgres.url('production') }
  succeeded(await bench.run('copy', 'from_production', read))
  for (const command of ['restore', 'copy'])
    failed(await write(command, 'postgres'), /belongs to the server itself/)
})

const dryRuns: [string, string, Inputs, RegExp][] = [
  ['restore', 'dry_new', {}, /Dry run: .*\.dump would become "dry_new"$/m],
  [
    'restore',
    'dry_ours',
    { reversible: 'true', 'pre-swap-hooks': 'exit 1' },
    /would become "dry_ours" after 1 pre-swap hook; the present "dry_ours" would be kept as "dry_ours__pre"/,
  ],
  ['restore', 'dry_ours', { 'template-cache': '1' }, /the present "dry_ours" would be dropped/],
  [
    'restore',
    'dry_theirs',
    { swap: 'false', overwrite: 'true' },
    /Dry run: .* would be restored into "dry_theirs" in place/,
  ],
  [
    'copy',
    'dry_new',
    { 'pre-dump-hooks': 'exit 1' },
    /Dry run: 127\.0\.0\.1:\d+\/source would become "dry_new"/,
  ],
  ['copy', 'dry_ours', { 'copy-method': 'template' }, /the present "dry_ours" would be dropped/],
  ['drop', 'dry_ours', {}, /Would drop "dry_ours"/],
]

test('a dry run changes nothing, and refuses what the run would refuse', async () => {
  succeeded(await write('restore', 'dry_ours'))
  await bench.make('dry_theirs', 'theirs')
  const before = await catalogue(bench)
  for (const [command, name, more, says] of dryRuns) {
    const run = succeeded(await write(command, name, { ...more, 'dry-run': 'true' }))
    assert.match(run.log, says)
    assert.match(run.summary, /[Ww]ould/)
    assert.equal(run.outputs.database, undefined)
    assert.deepEqual(await catalogue(bench), before, `${command} ${name}`)
  }
  assert.equal(await bench.state('dry_theirs'), 'theirs')
  for (const command of ['restore', 'copy'])
    failed(await write(command, 'dry_theirs', { 'dry-run': 'true' }), /set overwrite: true/)
  failed(await bench.run('drop', 'dry_theirs', { 'dry-run': 'true' }), /not made by this action/)
  assert.deepEqual(await catalogue(bench), before)
})
