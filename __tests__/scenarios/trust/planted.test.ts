import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import { plantedThatRan, plantHostileNames, unplantedFunctions } from '../../../lab/postgres/planted.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

let bench: LifecycleBench

before(async () => {
  bench = await startLifecycleBench({ settings: { log_statement: 'all', log_line_prefix: '%a|%d|' } })
  await bench.make('app', 'source')
  await bench.make('live', 'old')
  await bench.postgres.psql('postgres', 'create role mallory login')
  for (const database of ['app', 'live', 'postgres', 'template1'])
    await plantHostileNames(bench.postgres, database, 'mallory')
})
after(() => bench?.[Symbol.asyncDispose]())

test('#41 the trap works: a session that protects itself not at all runs what was planted', async () => {
  const { postgres } = bench
  await postgres.psql('app', `select format('x'::pg_catalog.text), 1 < 2`)
  const ran = plantedThatRan(postgres)
  assert.ok(
    ran.some((name) => name.startsWith('format')),
    ran.join(),
  )
  assert.ok(
    ran.some((name) => name.startsWith('<')),
    ran.join(),
  )
})

test('#41 CVE-2018-1058: no function, operator, relation or type that a role planted runs in any command', async () => {
  const { postgres } = bench
  const before = plantedThatRan(postgres).length
  const workspace = tempFolder('workspace').path
  const steps: [string, string, Record<string, string>][] = [
    ['dump', 'app', { tables: 'state', 'exclude-table-data': 'public.state', jobs: '1' }],
    ['dump', 'app', { jobs: '4' }],
    ['restore', 'live', { 'dump-key': 'latest', overwrite: 'true', reversible: 'true', jobs: '4' }],
    ['restore', 'live', { 'dump-key': 'latest', overwrite: 'true', swap: 'false' }],
    ['restore', 'preview_1', { 'dump-key': 'latest', 'template-cache': '2' }],
    ['restore', 'preview_2', { 'dump-key': 'latest', 'template-cache': '2' }],
    ['copy', 'copied', { 'source-database-url': postgres.url('app'), 'copy-method': 'stream' }],
    ['copy', 'filed', { 'source-database-url': postgres.url('app'), 'copy-method': 'template' }],
    ['verify', 'live', { 'dump-key': 'latest' }],
    ['list', 'live', { local: 'true' }],
    ['prune', 'live', { local: 'true', 'keep-last': '1' }],
    ['drop', 'preview_1', {}],
  ]
  for (const [command, database, more] of steps)
    succeeded(await bench.run(command, database, more, { cwd: workspace }))
  assert.deepEqual(plantedThatRan(postgres).slice(before), [])
  assert.deepEqual(await unplantedFunctions(postgres, 'app'), [])
})
