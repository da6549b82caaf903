import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { witness } from '../../../lab/benches/witness.ts'
import { makeData } from '../../../lab/postgres/sample.ts'
import { startProxy } from '../../../lab/proxy.ts'
import { runPost } from '../../../lab/runner/action.ts'
import { childOf, killChild } from '../../../lab/runner/children.ts'
import { assertNoSuccess, succeeded } from '../../../lab/runner/outcome.ts'
import { until } from '../../../lab/until.ts'

let bench: Bench
let key: string

before(async () => {
  bench = await startBench()
  const { postgres } = bench
  // Far more than the buffers of a stalled connection take: what has been handed over is not idle.
  await makeData(postgres, 'app', 30)
  await postgres.psql('app', 'create index on bulk (hash)')
  await postgres.createDatabase('live')
  await postgres.psql('live', `create table bulk as select 'old' as state; create table only_here (id int)`)
  key = await bench.dump('folder', 'app')
})
after(() => bench?.[Symbol.asyncDispose]())

/** A restore through a proxy. */
async function through() {
  const proxy = await startProxy(bench.postgres)
  const url = bench.postgres.url('live', { port: proxy.port })
  return { proxy, more: { 'dump-key': key, 'database-url': url } }
}

/** Streaming with one job and from a file with two; in place. */
const ways: [string, Record<string, string>][] = [
  ['with one job', { jobs: '1' }],
  ['with two jobs', { jobs: '2' }],
  ['in place', { swap: 'false' }],
]

for (const [what, way] of ways) {
  test(`#30 pg_restore is killed, ${what}`, async () => {
    const harm = await witness(bench, 'live')
    const { proxy, more } = await through()
    await using _ = proxy
    proxy.stallAfter(4_000_000, 'client')
    const action = bench.start('restore', 'folder', 'live', { ...more, ...way })
    await until(() => proxy.bytes.client >= 4_000_000, 'data to flow')
    await killChild(action, /pg_restore /)
    const run = await action.done
    // The server learns only now that its client is gone, and lets go of the tables.
    proxy.cutNow('reset')
    await harm.assertHarmless(run, /pg_restore .*SIGKILL/)
  })

  // With two jobs, a test of retries has the same cut.
  if (way.jobs === '2') continue

  test(`#30 the connection is cut, ${what}`, async () => {
    const harm = await witness(bench, 'live')
    const { proxy, more } = await through()
    await using _ = proxy
    proxy.resetAfter(3_000_000, 'client')
    const run = await bench.run('restore', 'folder', 'live', { ...more, ...way })
    await harm.assertHarmless(
      run,
      /(pg_restore|psql|hook).*(connection|server closed|lost|Broken pipe|no COPY)/,
    )
  })
}

test('#07 the connection of a restore goes silent', async () => {
  const harm = await witness(bench, 'live')
  const { proxy, more } = await through()
  await using _ = proxy
  proxy.stallAfter(3_000_000, 'client')
  const silent = { ...more, jobs: '1', 'idle-timeout': '3s' }
  const run = await bench.run('restore', 'folder', 'live', silent)
  proxy.cutNow('reset')
  await harm.assertHarmless(run, /No byte moved for 3 s \(idle-timeout\)/)
})

test('#25 #40 a constraint that the data break, and rows that look like commands', async () => {
  const { postgres } = bench
  const canary = 'canary-row-5d2e'
  const evil = `x\n::add-mask::x\n::error::obeyed\n##[error]obeyed ${canary}\r::warning::${canary}\n::save-state name=pending::[]`
  await postgres.createDatabase('hostile')
  await postgres.psql(
    'hostile',
    `create function strict() returns boolean language sql as 'select true';
     create table t (id int, note text constraint "::error::${canary.replace('row', 'name')}" check (strict()));`,
  )
  await postgres.query('hostile', `insert into t values (1, 'fine'), (2, $1)`, [evil])
  const variants: [string, string, RegExp][] = [
    [
      'a failing check',
      `create or replace function strict() returns boolean language sql as 'select false'`,
      /violates check constraint/,
    ],
    [
      'a failing cast in a trigger',
      `create or replace function strict() returns boolean language plpgsql as
       $$ begin raise exception E'bad\\n::error::obeyed\\n##[error]x'; end $$`,
      /bad/,
    ],
    [
      'an index of unique values',
      `create or replace function strict() returns boolean language sql as 'select true';
       alter table t add column copy text generated always as (left(note, 0)) stored;
       set session_replication_role = replica; create table u as select note || '' as note from t;
       insert into u select note from u; create function same(text) returns text immutable language plpgsql as
       $f$ begin if current_database() = 'hostile' then return $1 || random(); end if; return $1; end $f$;
       create unique index on u (same(note))`,
      /unique index|duplicate/,
    ],
  ]
  for (const [index, [, change, says]] of variants.entries()) {
    await postgres.psql('hostile', change)
    const dump = await bench.dump('folder', 'hostile')
    const harm = await witness(bench, 'live')
    // One job and two take turns.
    const jobs = String(1 + (index % 2))
    const run = await bench.run('restore', 'folder', 'live', { 'dump-key': dump, jobs })
    await harm.assertHarmless(run, says, { secrets: [canary] })
    assert.deepEqual(run.warnings, [])
    const names = new Set(run.commands.map(({ name }) => name))
    assert.ok(!names.has('save-state') && !run.masks.includes('x'))
  }
})

test('#40 an altered row in an archive that its manifest does not cover', async () => {
  const canary = 'canary-text-91ab'
  const { postgres, folder } = bench
  await postgres.createDatabase('numbers')
  await postgres.psql('numbers', `create table n (id int); insert into n values (12345678), (2)`)
  const dump = await bench.dump('folder', 'numbers', { compression: 'none' })
  const harm = await witness(bench, 'live')
  const path = join(folder, dump)
  const [whole, record] = [readFileSync(path), readFileSync(`${path}.json`)]
  const at = whole.indexOf('12345678')
  writeFileSync(path, Buffer.concat([whole.subarray(0, at), Buffer.from('::a::x]7'), whole.subarray(at + 8)]))
  const manifest = { ...JSON.parse(String(record)), sha256: '0'.repeat(64) }
  writeFileSync(`${path}.json`, JSON.stringify(manifest))
  const run = await bench.run('restore', 'folder', 'live', { 'dump-key': dump, jobs: '1' })
  await harm.assertHarmless(run, /not what was dumped|invalid input syntax for type integer: "\(hidden/, {
    secrets: [canary, '::a::x]7'],
  })
})

test('#30 the database server stops during a restore', async () => {
  const harm = await witness(bench, 'live')
  const { proxy, more } = await through()
  await using _ = proxy
  proxy.stallAfter(3_000_000, 'client')
  const action = bench.start('restore', 'folder', 'live', { ...more, jobs: '1' })
  await until(() => proxy.bytes.client >= 3_000_000, 'data to flow')
  await childOf(action, /pg_restore /)
  await bench.postgres.stop('immediate')
  proxy.heal()
  const run = await action.done
  await bench.postgres.restart()
  assert.equal(run.exitCode, 1)
  assertNoSuccess(run.outputs)
  // The staging database could not be dropped without a server: the post step does it.
  succeeded(await runPost(run))
  await harm.assertClean(run)
})
