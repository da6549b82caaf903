import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { readTables } from '../../../lab/postgres/compare.ts'
import { startPostgres } from '../../../lab/postgres/postgres.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: Bench

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql('app', 'create table right_one (id int)')
})
after(() => bench?.[Symbol.asyncDispose]())

test('#38 ambient PG* variables and files are not looked at when a URL is given', async () => {
  await using other = await startPostgres()
  await other.createDatabase('app')
  const home = join(bench.folder, '..')
  writeFileSync(join(home, '.psqlrc'), '\\echo from psqlrc\n\\quit\n')
  writeFileSync(join(home, '.pg_service.conf'), `[evil]\nhost=${other.host}\nport=${other.port}\n`)
  const ambient = { ...other.env('app'), PGHOSTADDR: other.host, PGSERVICE: 'evil', PGSSLMODE: 'verify-full' }
  const env = {
    ...{ ...ambient, PGOPTIONS: '-c search_path=nowhere', PGDATA: '/nowhere', HOME: home },
    ...{ PGSERVICEFILE: join(home, '.pg_service.conf'), PSQLRC: join(home, '.psqlrc') },
  }
  const run = succeeded(await bench.run('dump', 'folder', 'app', {}, { env }))
  assert.equal(run.outputs['table-count'], '1')
  assert.deepEqual(run.warnings, [])
  const key = { 'dump-key': run.outputs['dump-key']! }
  const restored = succeeded(await bench.run('restore', 'folder', 'copy', key, { env }))
  assert.deepEqual(await other.databases(), ['app', 'postgres'])
  const { postgres, folder, s3 } = bench
  for (const one of [run, restored])
    await assertNothingLeft({
      ...{ run: one, postgres, s3, folder, databases: ['app', 'copy', 'postgres'] },
      secrets: [other.canary],
    })
  assert.deepEqual([...(await readTables(postgres, 'copy')).keys()], ['public.right_one'])
})

test('without a URL they decide, and a warning says so', async () => {
  const { postgres } = bench
  const run = succeeded(await bench.run('dump', 'folder', '', {}, { env: postgres.env('app') }))
  assert.ok(run.warnings.some((warning) => /database-url is not set.*PG\*/.test(warning)))
  assert.match(run.outputs['dump-key']!, /^shop\/app\//)
  const inputs = { 'dump-key': 'latest' }
  succeeded(await bench.run('restore', 'folder', '', inputs, { env: postgres.env('ambient') }))
  assert.equal(await postgres.psql('ambient', 'select count(*) from right_one'), '0')
  await assertNothingLeft({ run, postgres, folder: bench.folder })
})

test('all mistakes are reported at once, before anything is started, and no secret is', async () => {
  const secret = 'canary-7c1f'
  const run = failed(
    await bench.run('restore', 's3', '', {
      'database-url': `mysql://u:${secret}@h/db`,
      'storage-location': 's3://b/x/',
      's3-config': `AWS_SECRET_ACCESS_KEY=${secret}\nPATH=/tmp`,
      's3-endpoint-url': 'ftp://x',
      's3-checksum': 'sometimes',
      's3-sse-kms-key-id': 'key',
      's3-max-parts': '0',
      compression: 'rar',
      jobs: 'many',
      reversible: 'maybe',
      'idle-timeout': '10',
      'lock-wait-timeout': '1 hour',
      'tolerate-errors': '(',
      'pg-dump-args': '--file=/tmp/x',
      'pg-restore-args': 'production',
      'postgres-version': 'newest',
    }),
    /inputs are wrong/,
  )
  const named = [
    ...[
      'database-url',
      'storage-location',
      's3-config',
      's3-endpoint-url',
      's3-checksum',
      's3-sse-kms-key-id',
    ],
    ...['s3-max-parts', 'compression', 'jobs', 'reversible', 'idle-timeout', 'lock-wait-timeout'],
    ...['tolerate-errors', 'pg-dump-args', 'pg-restore-args', 'postgres-version', 'dump-key'],
  ]
  for (const name of named) assert.match(run.errors[0]!, new RegExp(`[:;] ${name} `))
  assert.deepEqual(
    run.commandLines.filter((line) => /psql|pg_|aws/.test(line)),
    [],
  )
  await assertNothingLeft({ run, secrets: [secret] })
})

test('an empty secret is named', async () => {
  const config = 'AWS_ACCESS_KEY_ID=\nAWS_SECRET_ACCESS_KEY=x'
  const run = await bench.run('dump', 's3', 'app', { 's3-config': config })
  failed(run, /s3-config sets AWS_ACCESS_KEY_ID to an empty value; check that the secret exists/)
})
