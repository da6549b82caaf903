import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Inputs,
  makePoints,
  mark,
  marker,
  reconnect,
  temporaries,
  useDumpedSource,
} from '../../../lab/benches/lifecycle-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

const { bench, key } = await useDumpedSource()

const set = (state: string) => `psql -Xqc "update state set state = '${state}'"`

const restore = (database: string, dumpKey: string, more: Inputs = {}) =>
  bench.run('restore', database, { 'dump-key': dumpKey, ...more })

const states = (...names: string[]) => Promise.all(names.map(bench.state))

test(':pre, :post and :name are copied and not consumed, and without reversible a restore leaves both points', async () => {
  const { postgres, folder } = bench
  succeeded(await restore('app', key, { 'pre-swap-hooks': set('first') }))
  succeeded(await restore('app', key, { 'pre-swap-hooks': set('second'), reversible: 'true' }))
  assert.deepEqual(await states('app', 'app__pre', 'app__post'), ['second', 'first', 'dumped'])
  const expected = {
    ':pre': 'first',
    ':post': 'dumped',
    ':source': 'dumped',
    [key]: 'dumped',
  }
  for (const [point, state] of Object.entries(expected)) {
    const run = succeeded(await restore('app', point))
    assert.equal(await bench.state('app'), state)
    assert.equal(run.outputs['dump-key'], point)
    assert.equal(run.outputs.database, 'app')
    assert.deepEqual(await states('app__pre', 'app__post'), ['first', 'dumped'])
    await assertNothingLeft({ run, postgres, folder })
  }
  assert.equal((await marker(bench, 'app'))?.kind, 'clone')
  for (const point of ['app__pre', 'app__post']) {
    const { kind, of } = (await marker(bench, point))!
    assert.deepEqual({ kind, of }, { kind: 'point', of: 'app' })
  }
  assert.equal(await marker(bench, 'source'), null)
  assert.deepEqual(await temporaries(bench), [])
})

test('going back can be reversible, hooks and assertions run on the copy of a point, and a failure changes nothing', async () => {
  await makePoints(bench, 'hooked')
  const more = { 'pre-swap-hooks': set('hooked'), 'verify-sql': `select state = 'hooked' from state` }
  const run = succeeded(await restore('hooked', ':pre', { reversible: 'true', ...more }))
  assert.equal(run.outputs['previous-database'], 'hooked__pre')
  assert.deepEqual(await states('hooked', 'hooked__pre', 'hooked__post'), ['hooked', 'second', 'first'])
  failed(await restore('hooked', ':post', { 'pre-swap-hooks': 'false' }), /"false" failed/)
  assert.deepEqual(await states('hooked', 'hooked__post'), ['hooked', 'first'])
  assert.deepEqual(await temporaries(bench), [])
})

test('open sessions: those of a point end, those of any other database stay', async () => {
  await makePoints(bench, 'open')
  await using looking = await bench.postgres.connect('open__pre')
  succeeded(await restore('open', ':pre'))
  await assert.rejects(looking.query('select 1'))
  assert.equal(await bench.state('open'), 'first')

  // Another preview of ours is live, and a database of the user's all the more.
  await bench.make('other_preview', 'theirs')
  await mark(bench, 'other_preview', {})
  for (const name of ['other_preview', 'source']) {
    await using working = await bench.postgres.connect(name)
    failed(await restore('open', `:${name}`), /has 1 session, .* set disconnect-source: true/)
    assert.equal(await working.text('select 1'), '1')
    if (name === 'other_preview') continue
    succeeded(await restore('open', `:${name}`, { 'disconnect-source': 'true' }))
    await assert.rejects(working.query('select 1'))
  }
})

test('clients that come back at once, to the copied database or the target, stop neither copy nor swap', async () => {
  await makePoints(bench, 'lively')
  await bench.make('visited', 'theirs')
  await using _ = reconnect(bench, 'lively__pre')
  await using __ = reconnect(bench, 'visited')
  await using ___ = reconnect(bench, 'lively')
  succeeded(await restore('lively', ':pre'))
  assert.equal(await bench.state('lively'), 'first')
  succeeded(await restore('lively', ':visited', { 'disconnect-source': 'true' }))
  assert.equal(await bench.state('lively'), 'theirs')
  assert.deepEqual(await temporaries(bench), [])
})

test('what is no restore point', async () => {
  await makePoints(bench, 'refusing')
  const cases: [string, RegExp][] = [
    [':nowhere', /no database "nowhere" on the server/],
    [':refusing', /names the target itself/],
  ]
  for (const [point, says] of cases) failed(await restore('refusing', point, { 'dry-run': 'true' }), says)
  failed(await restore('without_points', ':pre'), /no database "without_points__pre"/)
  failed(await bench.run('verify', 'refusing', { 'dump-key': ':pre' }), /only restore can read/)
  const cached = { 'template-cache': '1' }
  failed(await restore('refusing', ':pre', cached), /template-cache cannot be used/)
  assert.deepEqual(await states('refusing'), ['second'])
  assert.ok(!(await bench.postgres.databases()).includes('without_points'))
})

test('names near 63 bytes do not collide', async () => {
  const { postgres } = bench
  const long = 'x'.repeat(62)
  // 🐘 has four bytes.
  const all = [`${long}a`, `${long}b`, `${'🐘'.repeat(15)}abc`]
  const before = (await postgres.databases()).length
  const twice = all.map(async (name) => {
    assert.ok(Buffer.byteLength(name) <= 63)
    await bench.make(name, `old ${name}`)
    await mark(bench, name, {})
    const more = { 'pre-swap-hooks': set(`new ${name}`), reversible: 'true' }
    const run = succeeded(await restore(name, key, more))
    const pre = run.outputs['previous-database']!
    assert.ok(Buffer.byteLength(pre) <= 63)
    assert.deepEqual(await states(name, pre), [`new ${name}`, `old ${name}`])
  })
  await Promise.all(twice)
  assert.equal((await postgres.databases()).length, before + 3 * all.length)
  const back = all.map(async (name) => {
    succeeded(await restore(name, ':pre'))
    assert.equal(await bench.state(name), `old ${name}`)
    succeeded(await bench.run('drop', name))
  })
  await Promise.all(back)
  assert.equal((await postgres.databases()).length, before)
})

test('a database of somebody else is no place for a restore point', async () => {
  const { postgres } = bench
  await bench.make('guarded', 'dumped')
  await mark(bench, 'guarded', {})
  await bench.make('guarded__pre', 'theirs')
  const reversible = { reversible: 'true' }
  const says =
    /"guarded__pre" is where reversible keeps a restore point, and it is not a restore point of "guarded"; rename or drop it/
  for (const change of [null, { kind: 'clone' }, { kind: 'point', of: 'guarded_2' }]) {
    if (change) await mark(bench, 'guarded__pre', change)
    for (const more of change ? [{ overwrite: 'true' }] : [{}, { 'dry-run': 'true' }, { overwrite: 'true' }])
      failed(await restore('guarded', key, { ...reversible, ...more }), says)
    assert.equal(await bench.state('guarded__pre'), 'theirs')
  }
  const protecting = { ...reversible, overwrite: 'true', 'protected-databases': '*/guarded__p*' }
  failed(await restore('guarded', key, protecting), /guarded__pre" is protected by the pattern/)
  await postgres.psql('postgres', 'alter database guarded__pre rename to theirs')
  succeeded(await restore('guarded', key, reversible))
  assert.equal(await bench.state('guarded__pre'), 'dumped')
  assert.ok((await postgres.databases()).includes('guarded__post'))
})

test("the user's own comment stays on the database through swaps, and its restore points are marked", async () => {
  const { postgres } = bench
  await bench.make('commented', 'old')
  await postgres.psql('postgres', `comment on database commented is 'mine; it''s'`)
  const more = { reversible: 'true', overwrite: 'true' }
  for (let round = 0; round < 2; round++) succeeded(await restore('commented', key, more))
  const comments = await postgres.psql(
    'postgres',
    `select datname, shobj_description(oid, 'pg_database') from pg_database where datname ~ '^commented' order by 1`,
  )
  const lines = comments.split('\n')
  assert.equal(lines[0], "commented|mine; it's")
  assert.match(lines[1]!, /^commented__post\|pgclone-action /)
  assert.match(lines[2]!, /^commented__pre\|pgclone-action .*"kind":"point"/)
})

test('list with local: true shows the databases of the server', async () => {
  await makePoints(bench, 'listed')
  await bench.postgres.psql('postgres', `create role somebody; alter database source owner to somebody`)
  await bench.postgres.psql('postgres', `comment on database source is 'pgclone-action of old'`)
  const run = succeeded(await bench.run('list', 'not_there', { local: 'true' }))
  type Row = { name: string; owner: string; size: number; marker: { kind: string; of: string } | null }
  const rows = JSON.parse(run.outputs.dumps!) as Row[]
  assert.equal(run.outputs['dump-count'], String(rows.length))
  const row = (name: string) => rows.find((one) => one.name === name)!
  assert.deepEqual([row('source').owner, row('source').marker], ['somebody', null])
  assert.ok(row('source').size > 1_000_000)
  assert.equal(row('listed').marker?.kind, 'clone')
  const { kind, of } = row('listed__pre').marker!
  assert.deepEqual({ kind, of }, { kind: 'point', of: 'listed' })
  assert.ok(!rows.some(({ name }) => name === 'template0'))
  assert.match(run.log, /listed__post {2}postgres {2}[\d.]+ MB {2}\(point of listed, 20/)
  assert.match(run.summary, /\| `listed__pre` \| `postgres` \| [\d.]+ MB \| point of `listed` \|/)
})

test("a comment that only looks like a marker is nobody's, and names cannot break out of the summary", async () => {
  const rests = ['5', '"x"', '{"kind":"clone"}', '{"kind":"point","of":{"a":1},"at":"2026","run":""}']
  for (const [index, rest] of rests.entries()) {
    await bench.make(`broken_${index}`, 'x')
    const sql = `comment on database broken_${index} is 'pgclone-action ${rest}'`
    await bench.postgres.psql('postgres', sql)
  }
  await mark(bench, 'listed', { of: 'a|b`c <img src=x> @octocat' })
  const run = succeeded(await bench.run('list', 'x', { local: 'true' }))
  const rows = JSON.parse(run.outputs.dumps!) as { name: string; marker: unknown }[]
  for (const index of rests.keys()) {
    assert.equal(rows.find(({ name }) => name === `broken_${index}`)!.marker, null)
    assert.match(
      run.summary,
      new RegExp(`\\| \`broken_${index}\` \\| \`postgres\` \\| [\\d.]+ MB \\| {2}\\|`),
    )
  }
  assert.match(run.summary, /clone of <code>a&#124;b\\`c &lt;img src=x&gt; @&#8203;octocat<\/code> \|/)
})
