import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'

let bench: Bench

/** Every part of it would break somewhere: in URLs, shells, SQL, JSON, connection strings and line by line. */
const canaries = ['canary-head-3f', 'canary-tail-8b'] as const
const password = `${canaries[0]}%40 '"\\ é@/:#?&=$(id)\`\n::error::x\n${canaries[1]}`

before(async () => {
  bench = await startBench()
  const { postgres } = bench
  await postgres.createDatabase('app')
  const literal = `'${password.replaceAll("'", "''")}'`
  await postgres.psql('app', `create role awkward login createdb password ${literal}`)
  await postgres.psql('app', 'create table t as select 1 as id; grant select on t to awkward')
})
after(() => bench?.[Symbol.asyncDispose]())

const secrets = [password, ...canaries]

test('#39 no secret is shown, stored or passed as an argument', async () => {
  const { postgres, s3 } = bench
  const url = (database: string) => ({
    'database-url': postgres.url(database, { user: 'awkward', password }),
  })
  const env = { RUNNER_DEBUG: '1', ACTIONS_STEP_DEBUG: 'true' }
  const print = { 'pre-dump-hooks': 'echo "$PGPASSWORD"; echo "$DATABASE_URL" >&2' }
  const dumped = succeeded(await bench.run('dump', 's3', 'app', { ...url('app'), ...print }, { env }))
  const key = dumped.outputs['dump-key']!
  const record = await s3.read(`nightly/${key}.json`)
  for (const secret of [...secrets, ...s3.secrets]) assert.ok(!String(record).includes(secret))
  const harm = await witness(bench)
  const broken = { 'dump-key': key, 'pre-swap-hooks': 'echo "$PGPASSWORD" >&2; false' }
  const run = await bench.run('restore', 's3', 'copy', { ...url('copy'), ...broken }, { env })
  await harm.assertHarmless(run, /pre-swap-hooks/, { secrets })
  await harm.assertClean(dumped, { secrets })
  for (const child of [dumped, run])
    assert.ok(child.commandLines.some((line) => /pg_dump|pg_restore|psql|aws/.test(line)))
})

test('#39 no secret is shown when a URL cannot be read', async () => {
  const harm = await witness(bench)
  for (const url of [
    `postgres://u:${canaries[0]}%zz${canaries[1]}@127.0.0.1/app`,
    `postgres://u:${canaries[0]}/${canaries[1]}@127.0.0.1/app`,
    `postgres://u:${canaries[0]}#${canaries[1]}@127.0.0.1:1/app`,
    `host=127.0.0.1 password=${canaries[0]} dbname=app`,
  ]) {
    const run = await bench.run('dump', 'folder', 'app', { 'database-url': url })
    await harm.assertHarmless(run, /database-url|Cannot connect/, { secrets: [...canaries] })
  }
})
