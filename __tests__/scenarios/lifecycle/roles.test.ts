/** The roles of a server go with a dump, and come back as names without rights. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, type Place, startBench } from '../../../lab/benches/action-bench.ts'
import { quoteIdentifier } from '../../../lab/postgres/postgres.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: Bench
const keys = {} as Record<Place, string>

const NAMES = ['owner "of" shop', 'Leser ü', 'boss']
const PASSWORD = 'canary-of-a-role'

before(async () => {
  bench = await startBench()
  const [owner, readers, boss] = NAMES.map(quoteIdentifier)
  await bench.postgres.psql(
    'postgres',
    `create role ${owner} noinherit; create role ${readers} login createdb password '${PASSWORD}';
     create role ${boss} superuser login replication bypassrls createrole password '${PASSWORD}';
     create role staying; create role keeper; create role helper createdb login password 'helper-canary';
     grant ${owner} to ${readers} with admin option; grant ${readers} to staying; grant keeper to ${readers};
     grant pg_monitor to ${readers}`,
  )
  await bench.postgres.createDatabase('shop', `owner ${owner}`)
  await bench.postgres.psql(
    'shop',
    `set role ${owner}; create schema s; create table s.orders as select 1 as id; grant usage on schema s to ${readers}; grant select on s.orders to ${readers}`,
  )
  for (const place of ['folder', 's3'] as const)
    keys[place] = await bench.dump(place, 'shop', { globals: 'true' })
  await dropAll()
})
after(() => bench?.[Symbol.asyncDispose]())

async function dropAll(): Promise<void> {
  for (const name of ['shop', 'restored'])
    await bench.postgres.psql('postgres', `drop database if exists ${name}`)
  for (const name of NAMES)
    await bench.postgres.psql('postgres', `drop role if exists ${quoteIdentifier(name)}`)
}

/** The roles that the source had, as the server has them now. */
const roles = () =>
  bench.postgres.query<Record<string, unknown>>(
    'postgres',
    `select rolname as name, rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls or rolcanlogin as rights,
            rolpassword is not null as password, rolinherit as inherit
     from pg_authid where rolname = any ($1) order by rolname collate "C"`,
    [NAMES],
  )

const memberships = () =>
  bench.postgres.query<Record<string, unknown>>(
    'postgres',
    `select pg_get_userbyid(member) as member, pg_get_userbyid(roleid) as role from pg_auth_members
     where pg_get_userbyid(member) = any ($1) or pg_get_userbyid(roleid) = any ($1) order by 1, 2`,
    [NAMES],
  )

const restore = (place: Place, more: Inputs = {}) =>
  bench.run('restore', place, 'restored', { 'dump-key': keys[place], 'create-roles': 'true', ...more })

const globalsOf = (key: string) => key.replace(/\.dump$/, '.globals.sql')

test('the roles are stored beside the dump, without passwords, and named in the manifest', async () => {
  const path = join(bench.folder, globalsOf(keys.folder))
  const text = readFileSync(path, 'utf8')
  assert.match(
    text,
    /^CREATE ROLE "boss" SUPERUSER INHERIT CREATEROLE NOCREATEDB LOGIN REPLICATION BYPASSRLS;$/m,
  )
  assert.match(text, /^GRANT "owner ""of"" shop" TO "Leser ü" WITH ADMIN OPTION;$/m)
  assert.ok(!/SCRAM|md5|password/i.test(text.replace('without passwords', '')))
  const run = succeeded(await bench.run('list', 'folder', ''))
  const [dump] = JSON.parse(run.outputs.dumps!)
  const sha256 = createHash('sha256').update(text).digest('hex')
  assert.deepEqual(dump.globals, { key: globalsOf(keys.folder), size: Buffer.byteLength(text), sha256 })
  // Without the input there are none, and a restore that needs them says so.
  await bench.postgres.createDatabase('plain')
  const plain = await bench.dump('folder', 'plain')
  assert.ok(!existsSync(join(bench.folder, globalsOf(plain))))
  failed(
    await restore('folder', { 'dump-key': plain }),
    /create-roles: true needs a dump that was made with globals: true/,
  )
})

test('missing roles are created without any right, before owners and grants are restored', async () => {
  const plan = succeeded(await restore('folder', { 'dry-run': 'true' }))
  assert.match(plan.log, /Would create 3 roles without login and password/)
  assert.deepEqual(await roles(), [])
  for (const place of ['s3', 'folder'] as const) {
    const run = succeeded(await restore(place, { 'owner-and-acl': 'true' }))
    assert.match(run.log, /Created 3 roles without login and password: /)
    const [notice] = run.notices.filter((text) => text.includes('create-roles left out'))
    assert.match(
      notice!,
      /LOGIN and passwords of "Leser ü", "boss"; SUPERUSER of "boss"; CREATEROLE of "boss"; CREATEDB of "Leser ü"; REPLICATION of "boss"; BYPASSRLS of "boss"/,
    )
    assert.match(
      notice!,
      /roles of PostgreSQL itself: "Leser ü" in "pg_monitor"; memberships in roles that exist: "Leser ü" in "keeper"/,
    )
    assert.deepEqual(await roles(), [
      { name: 'Leser ü', rights: false, password: false, inherit: true },
      { name: 'boss', rights: false, password: false, inherit: true },
      { name: 'owner "of" shop', rights: false, password: false, inherit: false },
    ])
    assert.deepEqual(await memberships(), [
      { member: 'Leser ü', role: 'owner "of" shop' },
      { member: 'staying', role: 'Leser ü' },
    ])
    const owner = await bench.postgres.psql(
      'restored',
      "select tableowner from pg_tables where tablename = 'orders'",
    )
    assert.equal(owner, 'owner "of" shop')
    assert.match(succeeded(await restore(place)).log, /The target has every role of the dump/)
    await dropAll()
  }
})

test('roles that were altered in storage are not created, even if the manifest was altered too', async () => {
  const path = join(bench.folder, globalsOf(keys.folder))
  const manifestPath = join(bench.folder, `${keys.folder}.json`)
  const [text, manifest] = [readFileSync(path, 'utf8'), readFileSync(manifestPath, 'utf8')]
  const forge = (altered: string) => {
    const sha256 = createHash('sha256').update(altered).digest('hex')
    const globals = { ...JSON.parse(manifest).globals, size: Buffer.byteLength(altered), sha256 }
    writeFileSync(path, altered)
    writeFileSync(manifestPath, JSON.stringify({ ...JSON.parse(manifest), globals }))
  }
  try {
    writeFileSync(path, text.replace('boss', 'toss'))
    failed(await restore('folder'), /has another SHA-256 than its manifest says/)
    writeFileSync(path, text.slice(0, -10))
    failed(await restore('folder'), /has another size than its manifest says/)
    forge(`${text}ALTER ROLE "helper" SUPERUSER;\n`)
    failed(await restore('folder'), /has something other than the roles that this action writes/)
    writeFileSync(manifestPath, manifest.replace(globalsOf(keys.folder), '../elsewhere.globals.sql'))
    failed(await restore('folder'), /has no valid globals/)
    assert.deepEqual(await roles(), [])
  } finally {
    writeFileSync(path, text)
    writeFileSync(manifestPath, manifest)
  }
})

test('a role without CREATEROLE is told what to do, before anything is restored', async () => {
  const url = bench.postgres.url('restored', { user: 'helper', password: 'helper-canary' })
  const run = failed(
    await restore('folder', { 'database-url': url }),
    /The role "helper" may not create roles \(CREATEROLE\)/,
  )
  assert.doesNotMatch(run.log, /Restore into/)
  assert.ok(!(await bench.postgres.databases()).includes('restored'))
})

test('they are pruned with their dump, and those whose dump is gone with the next prune', async () => {
  await bench.postgres.createDatabase('shop')
  for (const place of ['folder', 's3'] as const) {
    await bench.dump(place, 'shop', { globals: 'true', 'keep-last': '1' })
    const stored =
      place === 'folder'
        ? readdirSync(join(bench.folder, dirname(keys.folder)))
        : [...bench.s3.objects().keys()].filter((key) => key.includes(dirname(keys.s3)))
    assert.equal(stored.filter((key) => key.endsWith('.globals.sql')).length, 1, stored.join('\n'))
    assert.equal(stored.length, 3)
  }
  const stray = join(bench.folder, dirname(keys.folder), '2020-01-01-00-00-00-000000.globals.sql')
  const other = join(bench.folder, dirname(keys.folder), 'mine.globals.sql')
  for (const path of [stray, other]) writeFileSync(path, '')
  await bench.dump('folder', 'shop', { globals: 'true', 'keep-last': '1' })
  assert.deepEqual([existsSync(stray), existsSync(other)], [false, true])
})
