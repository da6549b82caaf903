import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { freePort } from '../../../lab/port.ts'
import { startPgBouncer } from '../../../lab/postgres/pgbouncer.ts'
import { makeData } from '../../../lab/postgres/sample.ts'
import type { Address } from '../../../lab/postgres/session.ts'
import { startProxy } from '../../../lab/proxy.ts'
import { killChild } from '../../../lab/runner/children.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { until } from '../../../lab/until.ts'

const execute = promisify(execFile)
let bench: Bench

before(async () => {
  bench = await startBench()
  await makeData(bench.postgres, 'app', 12)
  await bench.postgres.psql('app', 'create table later as select generate_series(1, 100000) as id')
})
after(() => bench?.[Symbol.asyncDispose]())

/** A proxy before the server, and the input that leads through it. */
async function through() {
  const proxy = await startProxy(bench.postgres)
  return { proxy, url: { 'database-url': bench.postgres.url('app', { port: proxy.port }) } }
}

test('#01 pg_dump is killed in mid-stream', async () => {
  const harm = await witness(bench)
  const { proxy, url } = await through()
  await using _ = proxy
  proxy.stallAfter(9_000_000)
  const action = bench.start('dump', 'folder', 'app', { ...url, compression: 'none' })
  await until(() => proxy.bytes.server >= 9_000_000, 'data to flow')
  await killChild(action, /pg_dump /)
  await harm.assertHarmless(await action.done, /pg_dump .*SIGKILL/)
})

test('#01 the connection is cut after some megabytes', async () => {
  const harm = await witness(bench)
  const { proxy, url } = await through()
  await using _ = proxy
  // A connection that is reset is the subject of a test of retries.
  proxy.cutAfter(5_000_000)
  const run = await bench.run('dump', 'folder', 'app', url)
  await harm.assertHarmless(run, /connection to the database was cut in the middle of the dump/)
})

test('#07 the connection of a dump goes silent', async () => {
  const harm = await witness(bench)
  const { proxy, url } = await through()
  await using _ = proxy
  proxy.stallAfter(5_000_000)
  const run = await bench.run('dump', 'folder', 'app', { ...url, 'idle-timeout': '3s' })
  await harm.assertHarmless(run, /No byte moved for 3 s \(idle-timeout\)/)
})

test('#07 the connection is silent from the first byte', async () => {
  const harm = await witness(bench)
  await using session = await bench.postgres.connect('app')
  await session.query('begin; lock table later in access exclusive mode')
  const run = await bench.run('dump', 'folder', 'app', { 'idle-timeout': '2s' })
  await harm.assertHarmless(run, /pg_dump sent nothing within 2 s \(idle-timeout\)/)
})

test('#01 the server dies in the middle', async () => {
  const harm = await witness(bench)
  const { proxy, url } = await through()
  await using _ = proxy
  proxy.stallAfter(5_000_000)
  const action = bench.start('dump', 'folder', 'app', url)
  await until(() => proxy.bytes.server >= 5_000_000, 'data to flow')
  await bench.postgres.stop('immediate')
  proxy.heal()
  const run = await action.done
  await bench.postgres.restart()
  await harm.assertHarmless(run, /pg_dump|connection to the database was cut/)
})

const unreachable: [string, Partial<Address> & { parameters?: Record<string, string> }, RegExp][] = [
  ['a wrong password', { password: 'wrong-canary-1' }, /wrong password for user "postgres"/],
  ['no such database', { database: 'gone' }, /no database "gone" on that server/],
  ['a closed port', { port: await freePort() }, /no server listens there \(connection refused\)/],
  ['an unknown host', { host: 'db.invalid' }, /no host named "db\.invalid"/],
  ['TLS that the server has not', { parameters: { sslmode: 'require' } }, /does not offer TLS/],
]

for (const [what, overrides, says] of unreachable) {
  test(`#02 nothing to connect to: ${what}`, async () => {
    const harm = await witness(bench)
    const more = { 'database-url': bench.postgres.url('app', overrides) }
    const run = await bench.run('dump', 'folder', 'app', more)
    await harm.assertHarmless(run, says, { secrets: ['wrong-canary-1'] })
  })
}

test('#06 a pooler in transaction mode, under a dump and under a restore', async () => {
  await using pooler = await startPgBouncer(bench.postgres, { mode: 'transaction' })
  const through = (database: string) => ({
    'database-url': bench.postgres.url(database, { port: pooler.port }),
  })
  const key = await bench.dump('folder', 'app')
  const harm = await witness(bench)
  const says = /is a connection pooler in transaction mode \(PgBouncer .*; use the direct host and port/
  await harm.assertHarmless(await bench.run('dump', 'folder', 'app', through('app')), says)
  const restore = { ...through('pooled'), 'dump-key': key }
  await harm.assertHarmless(await bench.run('restore', 'folder', 'pooled', restore), says)
})

test('#03 #26 a client that is too old for the server is refused by name', async () => {
  const harm = await witness(bench)
  const run = await bench.run('dump', 'folder', 'app', { 'postgres-version': '10' })
  await harm.assertHarmless(run, /postgres-version: 10 cannot be used: the server is PostgreSQL 15/)
})

const elsewhere = ['/usr/local/bin/aws', '/usr/local/aws-cli'].some((path) => existsSync(path))

test('#27 the AWS CLI is missing', { skip: elsewhere && 'one is where installers put it' }, async () => {
  const harm = await witness(bench)
  const before = bench.s3.requests.length
  const env = { PATH: tempFolder('empty').path }
  const run = await bench.run('dump', 's3', 'app', {}, { env })
  await harm.assertHarmless(run, /The AWS CLI is missing: .*Install AWS CLI 2 before this step/)
  assert.equal(bench.s3.requests.length, before)
})

test('#04 a table is locked by somebody else', async () => {
  const harm = await witness(bench)
  await using session = await bench.postgres.connect('app')
  await session.query('begin; lock table later in access exclusive mode')
  const run = await bench.run('dump', 'folder', 'app', { 'lock-wait-timeout': '1s' })
  await harm.assertHarmless(run, /waited too long for a table .*locked; .*raise lock-wait-timeout/)
})

test('#02 a table may not be read', async () => {
  const { postgres } = bench
  await postgres.psql(
    'app',
    `create role reader login password 'reads-little'; grant select on bulk to reader`,
  )
  const harm = await witness(bench)
  const url = postgres.url('app', { user: 'reader', password: 'reads-little' })
  const run = await bench.run('dump', 'folder', 'app', { 'database-url': url })
  await harm.assertHarmless(run, /may not read everything: permission denied for table later/)
})

const root = process.getuid?.() === 0

test('#08 the disk is full', { skip: !root && 'only root can mount a small file system' }, async (t) => {
  const mount = join(tempFolder('small').path, 'disk')
  mkdirSync(mount)
  try {
    await execute('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mount])
  } catch {
    return t.skip('this machine does not let us mount a file system')
  }
  try {
    const small = { ...bench, folder: mount }
    const harm = await witness(small)
    const more = { 'storage-location': mount, compression: 'none' }
    await harm.assertHarmless(await bench.run('dump', 'folder', 'app', more), /the disk is full/)
    const key = await bench.dump('folder', 'app')
    const target = await witness(small)
    const env = { RUNNER_TEMP: mount }
    // No room for data that wait: whoever is too early must wait as well.
    const run = succeeded(await bench.run('restore', 'folder', 'copy', { 'dump-key': key }, { env }))
    assert.match(run.log, /Restoring the data with \d jobs/)
    await bench.postgres.psql('postgres', 'drop database copy')
    await target.assertClean(run)
  } finally {
    await execute('umount', [mount])
    rmSync(mount, { recursive: true })
  }
})

test('#08 the storage folder is a file', async () => {
  const harm = await witness(bench)
  const file = join(tempFolder().path, 'file')
  writeFileSync(file, '')
  const run = await bench.run('dump', 'folder', 'app', { 'storage-location': join(file, 'dumps') })
  await harm.assertHarmless(run, /file/)
})
