import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

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
  const urls: [string, (database: string) => string, RegExp | null][] = [
    [
      'prisma',
      (db) =>
        `postgresql://${user}:${encoded}@${host}:${port}/${db}?schema=public&connection_limit=5&pgbouncer=true`,
      /were left out: schema, connection_limit, pgbouncer \(database-url\)/,
    ],
    ['sqlalchemy', (db) => `postgresql+asyncpg://${user}:${encoded}@${host}:${port}/${db}?ssl=disable`, null],
    [
      'jdbc',
      (db) => `jdbc:postgresql://${host}:${port}/${db}?user=${user}&password=${encoded}&currentSchema=app`,
      /were left out: currentSchema/,
    ],
  ]
  for (const [name, url, notice] of urls) {
    const dumped = succeeded(await bench.run('dump', 'folder', '', { 'database-url': url('app') }))
    assert.equal(dumped.outputs['row-count'], '1', name)
    const inputs = { 'database-url': url(`copy_${name}`), 'dump-key': dumped.outputs['dump-key']! }
    const run = succeeded(await bench.run('restore', 'folder', '', inputs))
    assert.equal(await bench.postgres.psql(`copy_${name}`, 'select count(*) from t'), '1')
    for (const one of [dumped, run]) {
      assert.equal(one.notices.filter((text) => /left out/.test(text)).length, notice ? 1 : 0, one.log)
      if (notice) assert.match(one.visibleLog, notice)
      assert.ok(one.masks.includes(password))
      await assertNothingLeft({ run: one, postgres: bench.postgres, folder: bench.folder })
    }
  }
  const wrong = `jdbc:postgresql://${host}:99999/app?user=${user}&password=${encoded}&sslfactory=x&sslmod=y`
  const run = failed(
    await bench.run('dump', 'folder', '', { 'database-url': wrong }),
    /"sslfactory".*"sslmod".*99999, which is not a number from 1 to 65535/,
  )
  assert.ok(!run.visibleLog.includes(password) && !run.summary.includes(password))
})
