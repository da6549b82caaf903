import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import { compareDatabases } from '../../../lab/postgres/compare.ts'
import { loadSample } from '../../../lab/postgres/sample.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

const execute = promisify(execFile)
let bench: LifecycleBench

/** As django-pgclone names a dump: instance, alias of the database, config, time. */
const theirs = 'prod/default/none/2026-01-02-03-04-05-678901.dump'

/** Runs one of django-pgclone's shell pipelines. */
async function shell(command: string, database: string): Promise<void> {
  const env = { PATH: process.env.PATH, DB_URL: bench.postgres.url(database) }
  await execute('bash', ['-o', 'pipefail', '-c', command], { env, maxBuffer: 1 << 26 })
}

before(async () => {
  bench = await startLifecycleBench()
  await loadSample(bench.postgres, 'app', { scale: 0.02 })
  const path = join(bench.folder, theirs)
  mkdirSync(dirname(path), { recursive: true })
  await shell(`pg_dump -Fc --no-acl --no-owner "$DB_URL" --exclude-table-data=nothing > ${path}`, 'app')
})
after(() => bench?.[Symbol.asyncDispose]())

test('its dump is listed as not committed, and restored by its full key', async () => {
  const { postgres } = bench
  const listed = succeeded(await bench.run('list', ''))
  const [dump] = JSON.parse(listed.outputs.dumps!)
  assert.deepEqual(dump, {
    key: theirs,
    instance: 'prod',
    database: 'default',
    config: 'none',
    createdAt: '2026-01-02T03:04:05.678901Z',
    size: statSync(join(bench.folder, theirs)).size,
    committed: false,
  })
  const run = succeeded(await bench.run('restore', 'ours', { 'dump-key': theirs }))
  assert.ok(run.warnings.some((warning) => /has no manifest/.test(warning)))
  assert.deepEqual(await compareDatabases(postgres, 'app', postgres, 'ours'), [])
  for (const reference of ['prod', 'prod/default/none', 'latest'])
    failed(await bench.run('restore', 'ours', { 'dump-key': reference }), /no committed dump/)
})

test('our dump lies where it looks, and its pg_restore reads it', async () => {
  const { postgres } = bench
  const inputs = { instance: 'prod', config: 'nightly', compression: 'gzip' }
  const key = await bench.dump('app', inputs)
  assert.match(key, /^prod\/app\/nightly\/\d{4}(-\d\d){5}-\d{6}\.dump$/)
  // Its own pattern for keys, and the command that it runs.
  const itsPattern = /^[\w-]+\/[\w-]+\/[\w-]+\/\d{4}-\d{2}-\d{2}-\d{2}-\d{2}-\d{2}-\d+\.dump$/
  assert.match(key, itsPattern)
  assert.doesNotMatch(`${key}.json`, itsPattern, 'it does not take a manifest for a dump')
  await postgres.createDatabase('plain')
  const path = join(bench.folder, key)
  await shell(`cat ${path} | pg_restore --verbose --no-acl --no-owner -d "$DB_URL"`, 'plain')
  assert.deepEqual(await compareDatabases(postgres, 'app', postgres, 'plain'), [])
})
