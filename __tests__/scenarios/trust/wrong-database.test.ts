import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  type LifecycleBench,
  startLifecycleBench,
  temporaries,
} from '../../../lab/benches/lifecycle-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

let bench: LifecycleBench

before(async () => {
  bench = await startLifecycleBench({ settings: { wal_level: 'logical' } })
})
after(() => bench?.[Symbol.asyncDispose]())

test('#42 a copy onto itself is refused, however a database or a URL formats times', async () => {
  const { postgres } = bench
  await bench.make('production', 'living')
  await postgres.psql('postgres', `alter database production set timezone = 'Asia/Tokyo'`)
  await postgres.psql('postgres', `alter database production set datestyle = 'SQL, DMY'`)
  const options = { parameters: { options: '-ctimezone=America/Lima' } }
  for (const [source, target] of [
    [postgres.url('production'), postgres.url('production')],
    [postgres.url('production', options), postgres.url('production')],
    [postgres.url('production'), postgres.url('production', options)],
  ] as const) {
    const more = { 'source-database-url': source, 'database-url': target, overwrite: 'true' }
    const run = await bench.run('copy', 'production', { ...more, 'schema-only': 'true' })
    failed(run, /are the same database, "production" of one server/)
    assert.equal(await bench.state('production'), 'living')
  }
})

test('#42 a copy is refused when a server does not say which one it is', async () => {
  const { postgres } = bench
  await bench.make('unknown', 'living')
  await postgres.psql('postgres', `create role blind login createdb password 'blind'`)
  await postgres.psql('unknown', 'revoke execute on function pg_postmaster_start_time() from public')
  const source = postgres.url('unknown', { user: 'blind', password: 'blind' })
  const run = await bench.run('copy', 'elsewhere', { 'source-database-url': source })
  failed(run, /cannot be told apart.*Grant EXECUTE on pg_postmaster_start_time/)
  assert.ok(!(await postgres.databases()).includes('elsewhere'))
})

test('#42 a service that names a database leads no program into it', async () => {
  const { postgres } = bench
  await bench.make('served', 'living')
  const key = await bench.dump('served')
  const HOME = tempFolder('home').path
  const file = join(HOME, '.pg_service.conf')
  const { host, port, user } = postgres
  writeFileSync(file, `[lab]\nhost=${host}\nport=${port}\nuser=${user}\ndbname=postgres\n`)
  const env = { HOME }
  const url = `postgres://:${encodeURIComponent(postgres.password)}@/served?service=lab`
  const through = { 'database-url': url, 'dump-key': key, overwrite: 'true' }
  const steps: [string, Record<string, string>][] = [
    ['dump', { 'database-url': url }],
    ['restore', through],
    ['restore', { ...through, jobs: '4', 'pre-swap-hooks': 'psql -Xqc "create table hooked ()"' }],
    ['restore', { ...through, swap: 'false' }],
    ['verify', { ...through, 'verify-sql': 'select true' }],
    ['copy', { ...through, 'source-database-url': postgres.url('served') }],
    ['copy', { 'database-url': postgres.url('other'), 'source-database-url': url }],
    ['drop', { 'database-url': url, force: 'true' }],
  ]
  for (const [command, more] of steps)
    failed(
      await bench.run(command, 'served', more, { env }),
      /the service "lab" (always )?leads to "postgres"/,
    )
  const made = await postgres.psql(
    'postgres',
    `select count(*) from pg_class where relnamespace = 'public'::regnamespace`,
  )
  assert.equal(made, '0')
  assert.equal(await bench.state('served'), 'living')
  assert.deepEqual(await temporaries(bench), [])
  writeFileSync(file, `[lab]\nhost=${host}\nport=${port}\nuser=${user}\n`)
  succeeded(await bench.run('restore', 'served', through, { env }))
})

test('#42 a subscription in a dump of plain tables is left out', async () => {
  const { postgres } = bench
  await bench.make('subscriber', 'plain')
  await postgres.psql(
    'subscriber',
    `create subscription of_production connection 'host=production.invalid dbname=x' publication p with (connect = false, slot_name = 'precious')`,
  )
  const key = await bench.dump('subscriber')
  const restored = succeeded(await bench.run('restore', 'clone', { 'dump-key': key }))
  assert.ok(restored.warnings.some((warning) => /SUBSCRIPTION of_production/.test(warning)))
  const more = { 'source-database-url': postgres.url('subscriber'), 'copy-method': 'stream' }
  succeeded(await bench.run('copy', 'copied', more))
  assert.equal(
    await postgres.psql(
      'postgres',
      `select string_agg(datname, ',') from pg_subscription s join pg_database d on d.oid = subdbid`,
    ),
    'subscriber',
  )
})
