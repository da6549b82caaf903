import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

let bench: Bench

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql('app', 'create table t (id int); insert into t values (1)')
})
after(() => bench?.[Symbol.asyncDispose]())

test('connection strings of frameworks are dumped and restored, and their secrets are masked', async () => {
  const { host, port, user, password } = bench.postgres
  const encoded = encodeURIComponent(password)
  const urls: ['dump' | 'restore', (database: string) => string, RegExp | null][] = [
    [
      'dump',
      (db) =>
        `postgresql://${user}:${encoded}@${host}:${port}/${db}?schema=public&connection_limit=5&pgbouncer=true`,
      /were left out: schema, connection_limit, pgbouncer \(database-url\)/,
    ],
    ['restore', (db) => `postgresql+asyncpg://${user}:${encoded}@${host}:${port}/${db}?ssl=disable`, null],
    [
      'restore',
      (db) => `jdbc:postgresql://${host}:${port}/${db}?user=${user}&password=${encoded}&currentSchema=app`,
      /were left out: currentSchema/,
    ],
  ]
  // Each string is read in one way, whatever the command; the dump of one is restored with the next.
  let key = ''
  for (const [command, url, notice] of urls) {
    const inputs = { 'database-url': url(command === 'dump' ? 'app' : 'copy'), 'dump-key': key }
    const run = succeeded(await bench.run(command, 'folder', '', inputs))
    assert.equal(run.outputs['row-count'], '1', run.log)
    key = run.outputs['dump-key']!
    assert.equal(run.notices.filter((text) => /left out/.test(text)).length, notice ? 1 : 0, run.log)
    if (notice) assert.match(run.visibleLog, notice)
    assert.ok(run.masks.includes(password))
    await assertNothingLeft({ run, postgres: bench.postgres, folder: bench.folder })
  }
  assert.equal(await bench.postgres.psql('copy', 'select count(*) from t'), '1')
  const wrong = `jdbc:postgresql://${host}:99999/app?user=${user}&password=${encoded}&sslfactory=x&sslmod=y`
  const run = failed(
    await bench.run('dump', 'folder', '', { 'database-url': wrong }),
    /"sslfactory".*"sslmod".*99999, which is not a number from 1 to 65535/,
  )
  assert.ok(!run.visibleLog.includes(password) && !run.summary.includes(password))
})

test('~ in paths is the home folder, and hooks with spaces in their names are files', async () => {
  const workspace = tempFolder('workspace').path
  const home = tempFolder('home').path
  mkdirSync(join(workspace, 'my hooks'))
  mkdirSync(join(home, 'sql'))
  writeFileSync(join(workspace, 'my hooks/mask me.sql'), 'update t set id = id + 10;\n')
  writeFileSync(join(home, 'sql/mask.sql'), 'update t set id = id + 100;\n')
  writeFileSync(join(home, 'sql/check.sql'), 'select min(id) = 111 from t;\n')
  const options = { cwd: workspace, env: { HOME: home } }
  const place = { 'storage-location': '~/dumps' }
  const dumped = succeeded(await bench.run('dump', 'folder', 'app', place, options))
  const key = dumped.outputs['dump-key']!
  assert.ok(existsSync(join(home, 'dumps', key)))
  const hooks = 'my hooks/mask me.sql\n~/sql/mask.sql'
  const more = { ...place, 'dump-key': key, 'pre-swap-hooks': hooks, 'verify-sql': '~/sql/check.sql' }
  succeeded(await bench.run('restore', 'folder', 'hooked', more, options))
  assert.equal(await bench.postgres.psql('hooked', 'select id from t'), '111')
  assert.deepEqual(readdirSync(workspace), ['my hooks'])
  const wrong = { 'storage-location': '$HOME/dumps', 'pre-dump-hooks': '~other/x.sql' }
  const says =
    /2 inputs are wrong: storage-location begins with "\$HOME".*pre-dump-hooks begins with "~other"/
  failed(await bench.run('dump', 'folder', 'app', wrong, options), says)
})

test('a place that cannot take a dump is named; of a folder it is known before pg_dump starts', async () => {
  const file = join(tempFolder('file').path, 'file')
  writeFileSync(file, '')
  const cases: ['folder' | 's3', string, RegExp][] = [
    ['folder', '/proc/pgclone/dumps', /Cannot write to storage-location \/proc\/pgclone\/dumps: /],
    ['folder', join(file, 'dumps'), /Cannot write to storage-location .*: a part of the path is a file/],
    ['s3', 's3://no-such-bucket/nightly/', /the bucket of storage-location does not exist/],
  ]
  for (const [place, location, says] of cases) {
    const more = { 'storage-location': location, 'max-shrink': '100%' }
    const run = failed(await bench.run('dump', place, 'app', more), says)
    // The answer of a bucket comes while pg_dump already reads.
    if (place === 'folder')
      assert.ok(!run.commandLines.some((line) => /pg_dump.*--format/.test(line)), run.log)
    await assertNothingLeft({ run, postgres: bench.postgres, folder: bench.folder })
  }
})
