import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type LifecycleBench,
  startLifecycleBench,
  temporaries,
} from '../../../lab/benches/lifecycle-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

let bench: LifecycleBench

before(async () => {
  bench = await startLifecycleBench()
})
after(() => bench?.[Symbol.asyncDispose]())

const env = {
  GITHUB_RUN_ID: '77',
  GITHUB_ACTOR: 'me',
  GITHUB_EVENT_NAME: 'schedule',
  GITHUB_WORKFLOW: 'Drill',
}

test('verify leaves evidence of what it compared, how old the dump is and how long the restore took', async () => {
  const { postgres } = bench
  await postgres.createDatabase('shop')
  await postgres.psql(
    'shop',
    `create table orders (id serial primary key, note text); insert into orders (note) select 'x' from generate_series(1, 30);
     create table big (id bigint generated always as identity); insert into big select from generate_series(1, 5)`,
  )
  const key = await bench.dump('shop')
  const limits = { 'max-age': '1h', 'max-restore-time': '5m', 'verify-sql': 'select true' }
  const run = succeeded(await bench.run('verify', 'shop', { 'dump-key': key, ...limits }, { env }))
  const evidence = JSON.parse(run.outputs.evidence!)
  assert.equal(evidence.result, 'passed')
  assert.equal(evidence.dump.key, key)
  assert.equal(evidence.dump.sha256, run.outputs['dump-sha256'])
  assert.equal(evidence.dump.uri, run.outputs['dump-uri'])
  assert.ok(evidence.age > 0 && evidence.age < 3600)
  assert.ok(evidence.restoreSeconds > 0 && evidence.restoreSeconds < 300)
  assert.deepEqual(evidence.counts, { tables: 2, rows: 35, objects: 7, sequences: 2, assertions: 1 })
  const { runId, actor, event, workflow } = evidence.run
  assert.deepEqual([runId, actor, event, workflow], ['77', 'me', 'schedule', 'Drill'])
  const checks = Object.fromEntries(evidence.checks.map((check: { name: string }) => [check.name, check]))
  assert.deepEqual(checks['max-restore-time'], {
    ...{ name: 'max-restore-time', expected: 300, found: evidence.restoreSeconds, ok: true },
  })
  assert.deepEqual([checks['max-age'].expected, checks['max-age'].found], [3600, evidence.age])
  assert.match(run.summary, /\| Sequences \| 2 \| ✅ none is behind its columns \|/)
  assert.match(run.summary, /\| Restore time \| at most 5 min 0 s \| ✅ /)

  const slow = await bench.run('verify', 'shop', { 'dump-key': key, 'max-restore-time': '1ms' })
  assert.equal(slow.exitCode, 1)
  assert.match(slow.errors[0]!, /The dump is sound, but its restore took .* max-restore-time is 1 ms/)
  assert.equal(slow.outputs.verified, undefined)
  const late = JSON.parse(slow.outputs.evidence!)
  assert.equal(late.result, 'failed')
  assert.deepEqual(
    late.checks.filter(({ ok }: { ok: boolean }) => !ok).map(({ name }: { name: string }) => name),
    ['max-restore-time'],
  )
  assert.match(slow.summary, /\| Restore time \| at most 1 ms \| ❌ [\s\S]*### ❌ verify failed/)
  assert.deepEqual(await temporaries(bench), [])
})

test('a sequence that is behind its column fails verify, and one that was left out does not', async () => {
  const { postgres } = bench
  await postgres.createDatabase('replica')
  await postgres.psql(
    'replica',
    `create table "Ünits" (id serial primary key); insert into "Ünits" select generate_series(1, 3);
     create table logs (id serial primary key); insert into logs select generate_series(1, 3)`,
  )
  const key = await bench.dump('replica')
  const run = await bench.run('verify', 'replica', { 'dump-key': key })
  failed(
    run,
    /^2 columns will get values that .*: public\.logs_id_seq returns 1 next, and public\.logs\.id has 3 already, public\.Ünits_id_seq returns 1 next/,
  )
  const emptied = await bench.dump('replica', { 'exclude-table-data': 'public.logs\npublic."Ünits"' })
  const sound = succeeded(await bench.run('verify', 'replica', { 'dump-key': emptied }))
  assert.equal(JSON.parse(sound.outputs.evidence!).counts.sequences, 2)
  const positions = await bench.dump('replica', { 'exclude-table-data': 'public.*_seq' })
  const partly = succeeded(await bench.run('verify', 'replica', { 'dump-key': positions }))
  assert.equal(JSON.parse(partly.outputs.evidence!).counts.sequences, 0)
})
