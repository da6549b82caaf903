import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, test } from 'node:test'
import {
  catalogue,
  comment,
  holdDatabases,
  type Inputs,
  longAgo,
  makePoints,
  mark,
  reconnect,
  useDumpedSource,
  waitsFor,
} from '../../../lab/benches/lifecycle-bench.ts'
import { FAULTS } from '../../../lab/github/faults.ts'
import { startGitHub } from '../../../lab/github/github.ts'
import { GITHUB_TOKEN } from '../../../lab/runner/action-inputs.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

const { bench, key } = await useDumpedSource()
const github = await startGitHub()
after(() => github[Symbol.asyncDispose]())

const restore = (database: string, more: Inputs = {}) =>
  bench.run('restore', database, { 'dump-key': key, ...more })

const sweep = (databases: string, more: Inputs = {}) =>
  bench.run('drop', 'postgres', { databases, ...more }, { env: github.env })

const closed = (databases: string, more: Inputs = {}) =>
  sweep(databases, { 'closed-pull-requests': 'true', ...more })

/** Databases whose name begins with a text. */
const databases = async (start: string) =>
  (await bench.postgres.databases()).filter((name) => name.startsWith(start))

type Reasons = Record<string, string>

/** The databases of an output with their reasons. */
function reasons(text: string | undefined): Reasons {
  const list = JSON.parse(text!) as { name: string; reason: string }[]
  return Object.fromEntries(list.map(({ name, reason }) => [name, reason]))
}

/** Clones, empty and a year old. */
async function clones(...names: string[]): Promise<void> {
  for (const name of names) {
    await bench.postgres.createDatabase(name)
    await mark(bench, name, {})
  }
}

/** The lifetime in a mark, in milliseconds; null without one. */
async function lifetime(database: string): Promise<number | null> {
  const { at, expires } = JSON.parse((await comment(bench, database))!.slice('pgclone-action '.length))
  return expires === undefined ? null : Date.parse(expires) - Date.parse(at)
}

test('expires-after is written into the mark, by each restore and copy anew, and by no other', async () => {
  succeeded(await restore('brief', { 'expires-after': '90m' }))
  assert.equal(await lifetime('brief'), 90 * 60_000)
  succeeded(await restore('brief', { 'expires-after': '7d', reversible: 'true', 'template-cache': '1' }))
  assert.equal(await lifetime('brief'), 7 * 86_400_000)
  assert.equal(await lifetime('brief__pre'), null)
  const list = succeeded(await bench.run('list', 'postgres', { local: 'true' }))
  assert.match(list.summary, /clone of `brief`, expires \d{4}-/)
  succeeded(await restore('brief'))
  assert.equal(await lifetime('brief'), null)
  const source = { 'source-database-url': bench.postgres.url('source') }
  succeeded(await bench.run('copy', 'copied', { ...source, 'expires-after': '1h' }))
  assert.equal(await lifetime('copied'), 3_600_000)
})

test('expires-after is refused where it could not be written', async () => {
  await bench.make('theirs', 'theirs')
  await mark(bench, 'theirs', { of: 'another' })
  const before = await catalogue(bench)
  for (const more of [{}, { 'dry-run': 'true' }] as Inputs[]) {
    const run = await restore('theirs', { 'expires-after': '7d', overwrite: 'true', ...more })
    failed(run, /expires-after cannot be kept, because "theirs" exists and was not made by this action/)
  }
  assert.deepEqual(await catalogue(bench), before)
})

test('of the databases that match, exactly those of closed pull requests go', async () => {
  const { postgres } = bench
  const ours = [
    'p_1',
    'p_2',
    'p_3',
    'p_33',
    'P_1',
    'p%1',
    'px1',
    'p_1 ',
    "p_'4",
    'p_"4',
    'p_ü4',
    'p_04',
    'p_5\\',
  ]
  await clones(...ours, 'x_p_1')
  await postgres.createDatabase('p_6')
  await postgres.createDatabase('p_7')
  await mark(bench, 'p_7', { of: 'another' })
  await postgres.createDatabase('p_8', 'is_template true')
  await mark(bench, 'p_8', {})
  await clones('p_9', 'p_10', 'p_11', 'p_12')
  await mark(bench, 'p_9', { kind: 'template' })
  await mark(bench, 'p_10', { run: 'https://github.com/acme/other/actions/runs/1' })
  await mark(bench, 'p_11', { run: 'https://github.com/acme/shop/actions/runs/1' })
  await clones('p_13__pgclone_0a1b2c3d')
  await mark(bench, 'p_13__pgclone_0a1b2c3d', { kind: 'staging', at: new Date().toISOString() })
  github.open = [3, 4, 101]
  const before = await catalogue(bench)
  const options = { 'protected-databases': '*/p_12' }
  const plan = succeeded(await closed('p_*', { 'dry-run': 'true', ...options }))
  assert.deepEqual(await catalogue(bench), before)
  assert.match(plan.log, /Would drop "p_1": pull request 1 is not open/)
  assert.match(plan.summary, /Dry run: would drop 4 of \d+ databases/)

  const run = succeeded(await closed('p_*', options))
  const dropped = reasons(run.outputs.dropped)
  assert.deepEqual(dropped, {
    p_1: 'pull request 1 is not open',
    p_11: 'pull request 11 is not open',
    p_2: 'pull request 2 is not open',
    p_33: 'pull request 33 is not open',
  })
  const gone = new Set(Object.keys(dropped))
  assert.deepEqual(
    await catalogue(bench),
    before.filter((row) => !gone.has((row as { row: { datname: string } }).row.datname)),
  )
  assert.deepEqual([plan.outputs.dropped, plan.outputs.kept], [run.outputs.dropped, run.outputs.kept])
  const kept = reasons(run.outputs.kept)
  const expected: [string, RegExp][] = [
    ['p_3', /pull request 3 is open/],
    ...['p_1 ', "p_'4", 'p_"4', 'p_ü4', 'p_04', 'p_5\\'].map(
      (name) => [name, /no number/] as [string, RegExp],
    ),
    ['p_6', /not made by this action/],
    ['p_7', /renamed/],
    ['p_8', /template database/],
    ['p_9', /template of instant previews/],
    ['p_10', /another repository, by https/],
    ['p_12', /protected by the pattern \*\/p_12/],
    ['p_13__pgclone_0a1b2c3d', /temporary database/],
  ]
  for (const [name, reason] of expected) assert.match(kept[name]!, reason, name)
  assert.equal(Object.keys(kept).length, expected.length)
  assert.match(run.summary, /Dropped 4 of 18 databases/)
  assert.match(run.summary, /\| `p_1` \| \*\*dropped\*\* \| pull request 1 is not open \|/)
  assert.ok(!run.visibleLog.includes(GITHUB_TOKEN))
})

test('names with quotes, percent signs and letters of other scripts are dropped as what they are', async () => {
  const names = ["q'1", 'q"2', 'q%3', 'q\\4', 'qü_5', 'Q_6', 'q 7', 'q;8', 'q$9', 'q*10', '-q11']
  await clones(...names)
  const patterns = ["q'*", 'q"*', 'q%*', 'q\\*', 'qü_*', 'Q_*', 'q *', 'q;*', 'q$*', '-q*'].join('\n')
  github.open = []
  const run = succeeded(await closed(patterns))
  assert.deepEqual(
    Object.keys(reasons(run.outputs.dropped)).toSorted(),
    names.filter((name) => name !== 'q*10').toSorted(),
  )
  assert.ok((await bench.postgres.databases()).includes('q*10'))
})

test('expired and old databases go, with their restore points and sessions; others stay', async () => {
  const { postgres } = bench
  for (const name of ['e_1', 'e_2', 'e_3']) await makePoints(bench, name)
  await mark(bench, 'e_1', { expires: longAgo } as object)
  await mark(bench, 'e_2', {
    at: new Date().toISOString(),
    expires: new Date(Date.now() + 60_000).toISOString(),
  } as object)
  await clones('e_4')
  await postgres.psql('postgres', 'drop database e_3')
  await using session = await postgres.connect('e_1__pre')
  await using _ = reconnect(bench, 'e_1')
  const run = succeeded(await sweep('e_*'))
  assert.deepEqual(Object.keys(reasons(run.outputs.dropped)), ['e_1', 'e_1__post', 'e_1__pre'])
  await assert.rejects(session.query('select 1'))
  assert.match(reasons(run.outputs.kept).e_2!, /expires at/)
  assert.match(reasons(run.outputs.kept).e_4!, /does not expire/)
  // Restore points of a database that is gone are as old as the newest of them.
  const old = succeeded(await sweep('e_*', { 'older-than': '30d', 'protected-databases': '*/e_4' }))
  assert.deepEqual(Object.keys(reasons(old.outputs.dropped)), ['e_3__post', 'e_3__pre'])
  assert.deepEqual(await databases('e_'), ['e_2', 'e_2__post', 'e_2__pre', 'e_4'])
  // A restore point may be protected, and then its database stays.
  const point = { 'older-than': '1ms', 'protected-databases': '*/e_2__pre' }
  const last = succeeded(await sweep('e_*', point))
  assert.deepEqual(Object.keys(reasons(last.outputs.dropped)), ['e_4'])
  assert.match(reasons(last.outputs.kept).e_2!, /protected by the pattern \*\/e_2__pre/)
  assert.match(succeeded(await sweep('nothing_*')).summary, /No database matches/)
})

test('what GitHub refuses or does not say completely drops nothing, not even what has expired', async () => {
  await clones('f_1', 'f_900')
  await mark(bench, 'f_1', { expires: longAgo } as object)
  github.open = Array.from({ length: 250 }, (_, index) => index + 1)
  const before = await catalogue(bench)
  for (const name of ['forbidden', 'html', 'cut later', 'no links', 'another repository']) {
    const { fault, says } = FAULTS[name]!
    github.fault = fault
    const run = failed(await closed('f_*'), says)
    assert.ok(!run.visibleLog.includes(GITHUB_TOKEN))
  }
  github.fault = null
  failed(await closed('f_*', { 'github-token': 'wrong' }), /401 \(Bad credentials\).*check github-token/)
  assert.deepEqual(await catalogue(bench), before)
  // Trouble that passes is tried again.
  let answers = 0
  github.fault = (answer) => (++answers === 1 ? { status: 502, headers: {}, body: '' } : answer)
  const run = succeeded(await closed('f_*', { retries: '2' }))
  github.fault = null
  assert.deepEqual(Object.keys(reasons(run.outputs.dropped)), ['f_1', 'f_900'])
})

test('one that cannot be dropped does not stop the others, and fails the step at its end', async () => {
  const { postgres } = bench
  await clones('g_1', 'g_2', 'g_3')
  const subscription = "create subscription s connection 'dbname=x' publication p with (connect = false)"
  await postgres.psql('g_2', subscription)
  const run = await sweep('g_*', { 'older-than': '1d' })
  assert.equal(run.exitCode, 1)
  const [error] = run.errors
  assert.match(error!, /1 database could not be dropped: "g_2" \(.*has the subscription "s"/)
  assert.deepEqual(Object.keys(reasons(run.outputs.dropped)), ['g_1', 'g_3'])
  assert.match(reasons(run.outputs.kept).g_2!, /^could not be dropped: "g_2" has the subscription/)
  assert.match(run.summary, /\| `g_2` \| \*\*could not be dropped\*\* \|/)
  assert.deepEqual(await databases('g_'), ['g_2'])
  await postgres.psql('g_2', 'alter subscription s set (slot_name = none); drop subscription s')
})

test('everything is looked at again right before each drop', async () => {
  const { postgres } = bench
  await clones('h_1', 'h_2', 'h_3', 'h_4', 'h_5', 'h_6')
  github.open = []
  const held = await holdDatabases(bench)
  const inputs = { databases: 'h_*', 'closed-pull-requests': 'true' }
  const action = bench.start('drop', 'postgres', inputs, { env: github.env })
  await waitsFor(bench, 'DROP DATABASE')
  await mark(bench, 'h_2', { at: new Date().toISOString() })
  github.open = [3]
  await postgres.psql('postgres', "comment on database h_4 is 'now mine'")
  // As a run does that replaces it: it holds the lock of its name.
  await using other = await postgres.connect('postgres')
  const lock = createHash('sha256').update('h_5').digest().readInt32BE()
  await other.query(`select pg_advisory_lock(${0x7067636c}, ${lock})`)
  await held.end()
  const run = succeeded(await action.done)
  assert.deepEqual(Object.keys(reasons(run.outputs.dropped)), ['h_1', 'h_6'])
  const kept = reasons(run.outputs.kept)
  assert.match(kept.h_2!, /was changed while this step ran/)
  assert.match(kept.h_3!, /pull request 3 is open/)
  assert.match(kept.h_4!, /was changed while this step ran/)
  assert.match(kept.h_5!, /another run of this action is working on it/)
  assert.deepEqual(await databases('h_'), ['h_2', 'h_3', 'h_4', 'h_5'])
})
