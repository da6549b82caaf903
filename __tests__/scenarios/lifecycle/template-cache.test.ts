import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  allGone,
  holdAt,
  holdDatabases,
  type Inputs,
  type LifecycleBench,
  longAgo,
  mark,
  marker,
  startLifecycleBench,
  temporaries,
  waitsFor,
} from '../../../lab/benches/lifecycle-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { compareDatabases } from '../../../lab/postgres/compare.ts'
import { loadSample } from '../../../lab/postgres/sample.ts'
import { descendants, kill } from '../../../lab/processes.ts'
import { startProxy } from '../../../lab/proxy.ts'
import { type ActionOptions, runPost } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { until } from '../../../lab/until.ts'

let bench: LifecycleBench
let shop: string
let small: string
let workspace: string

before(async () => {
  bench = await startLifecycleBench({ settings: { log_statement: 'all' } })
  await loadSample(bench.postgres, 'shop', { scale: 0.02 })
  await bench.make('small', 'dumped')
  shop = await bench.dump('shop')
  small = await bench.dump('small')
  workspace = tempFolder('workspace').path
})
after(() => bench?.[Symbol.asyncDispose]())

const preview = (name: string, key: string, more: Inputs = {}, options: ActionOptions = {}) =>
  bench.start(
    'restore',
    name,
    { 'dump-key': key, 'template-cache': '5', ...more },
    { cwd: workspace, ...options },
  )

async function templates(): Promise<string[]> {
  return (await bench.postgres.databases()).filter((name) => name.startsWith('pgclone_template_'))
}

async function dropTemplates(): Promise<void> {
  for (const name of await templates()) await bench.postgres.psql('postgres', `drop database "${name}"`)
}

/** What the server was told during some work. */
async function logOf(work: () => Promise<unknown>): Promise<string> {
  const start = bench.postgres.log().length
  await work()
  return bench.postgres.log().slice(start)
}

const makes = /There is no template of this dump and recipe yet; making "(pgclone_template_[0-9a-f]{24})"/
const copies = /Copying the template "(pgclone_template_[0-9a-f]{24})"/

test('the first restore makes a template, the second copies its files', async () => {
  const { postgres } = bench
  const first = await logOf(async () => {
    const run = succeeded(await preview('pr_1', shop).done)
    assert.match(run.log, makes)
    assert.deepEqual(await templates(), [makes.exec(run.log)![1]])
  })
  assert.match(first, /statement: COPY .* FROM stdin/)
  const second = await logOf(async () => {
    const run = succeeded(await preview('pr_2', shop).done)
    assert.match(run.log, copies)
    assert.doesNotMatch(run.log, makes)
    assert.equal(run.outputs.database, 'pr_2')
    assert.ok(Number(run.outputs['row-count']) > 1000)
    await assertNothingLeft({ run, postgres, folder: bench.folder })
  })
  assert.doesNotMatch(second, /statement: COPY /)
  // The planner's statistics are in the files, so that nothing has to be read for them.
  assert.match(first, /statement: ANALYZE\b/)
  assert.doesNotMatch(second, /statement: ANALYZE/)
  const known = `select count(*) from pg_stats where schemaname !~ '^pg_|^information_schema'`
  assert.equal(await postgres.psql('pr_2', known), await postgres.psql('pr_1', known))
  assert.notEqual(await postgres.psql('pr_2', known), '0')
  assert.match(second, /CREATE DATABASE "pr_2__pgclone_.*" TEMPLATE "pgclone_template_/)
  assert.equal((await templates()).length, 1)
  for (const name of ['pr_1', 'pr_2'])
    assert.deepEqual(await compareDatabases(postgres, 'shop', postgres, name), [])
  assert.equal((await marker(bench, 'pr_2'))?.kind, 'clone')
})

test('a template lets nobody in and says what it is', async () => {
  const [name] = await templates()
  await assert.rejects(bench.postgres.connect(name!), /not currently accepting connections/)
  const { kind, of } = (await marker(bench, name!))!
  assert.deepEqual({ kind, of }, { kind: 'template', of: name })
  const onto = { 'dump-key': small, overwrite: 'true' }
  failed(await bench.run('restore', name!, onto), /is a template of instant previews/)
  failed(await bench.run('drop', name!), /is a template of instant previews/)
})

test('what makes another template: a dump, a changed .sql hook, another option', async () => {
  await dropTemplates()
  const hook = join(workspace, 'mask.sql')
  writeFileSync(hook, `update state set state = 'masked';`)
  const made = async (more: Inputs, key = small) => {
    const run = succeeded(await preview('pr_recipe', key, more).done)
    return makes.test(run.log)
  }
  const masked = { 'pre-swap-hooks': 'mask.sql' }
  assert.equal(await made({}), true)
  assert.equal(await made(masked), true)
  assert.equal(await bench.state('pr_recipe'), 'masked')
  writeFileSync(hook, `update state set state = 'masked better';`)
  assert.equal(await made(masked), true)
  assert.equal(await bench.state('pr_recipe'), 'masked better')
  assert.equal(await made({ 'pg-restore-args': '--no-comments' }), true)
  await bench.postgres.psql('small', `update state set state = 'changed'`)
  const later = await bench.dump('small')
  assert.equal(await made({}, later), true)
  assert.equal(await bench.state('pr_recipe'), 'changed')
  await bench.postgres.psql('small', `update state set state = 'dumped'`)
  assert.equal((await templates()).length, 5)
})

test('a changed file that a hook includes makes another template, however it is included', async () => {
  await dropTemplates()
  const write = (path: string, text: string) => writeFileSync(join(workspace, path), text)
  mkdirSync(join(workspace, 'rules/deep'), { recursive: true })
  write('hook.sql', "\\ir 'rules/first rules.sql'\n\\i rules/second.sql\n\\copy state from rules/rows.txt\n")
  write('rules/first rules.sql', '\\include_relative deep/third.sql\n')
  write('rules/second.sql', `update state set state = state || ' second';`)
  write('rules/deep/third.sql', `update state set state = 'third';`)
  write('rules/rows.txt', 'row\n')
  const state = `select string_agg(state, ',' order by state) from state`
  const restored = async (more: Inputs = {}) => {
    const run = succeeded(await preview('pr_include', small, { 'pre-swap-hooks': 'hook.sql', ...more }).done)
    return { run, made: makes.test(run.log), state: await bench.postgres.psql('pr_include', state) }
  }
  for (const made of [true, false]) {
    const run = await restored()
    assert.deepEqual([run.made, run.state], [made, 'row,third second'])
  }
  for (const [path, text, expected] of [
    ['rules/deep/third.sql', `update state set state = 'THIRD';`, 'THIRD second,row'],
    ['rules/second.sql', `update state set state = state || ' SECOND';`, 'THIRD SECOND,row'],
    ['rules/rows.txt', 'ROW\n', 'ROW,THIRD SECOND'],
  ] as const) {
    write(path, text)
    const run = await restored()
    assert.deepEqual([run.made, run.state], [true, expected])
  }

  write('hook.sql', '\\set file rules/second.sql\n\\i :file\n')
  for (const text of ['one', 'two']) {
    write('rules/second.sql', `update state set state = '${text}';`)
    const { run, state } = await restored()
    assert.equal(state, text)
    assert.match(run.log, /::notice.*hook\.sql and the hooks after it run on every preview.*\\i :file/)
  }
})

test('shell hooks run on every copy, and .sql hooks after one as well', async () => {
  writeFileSync(join(workspace, 'first.sql'), `update state set state = 'first';`)
  writeFileSync(join(workspace, 'last.sql'), `update state set state = state || ' last';`)
  const hooks = `first.sql\npsql -Xqc "update state set state = state || ' $PREVIEW'"\npsql -Xqf last.sql`
  for (const name of ['pr_a', 'pr_b']) {
    const env = { PREVIEW: name }
    const run = succeeded(await preview(name, small, { 'pre-swap-hooks': hooks }, { env }).done)
    assert.equal(await bench.state(name), `first ${name} last`)
    assert.equal(/pre-swap-hooks \d of \d .*: first\.sql/.test(run.log), name === 'pr_a', 'baked once')
  }
})

test('a hook that fails leaves no template', async () => {
  const before = await templates()
  writeFileSync(join(workspace, 'broken.sql'), 'select 1 / 0;')
  failed(await preview('pr_broken', small, { 'pre-swap-hooks': 'broken.sql' }).done, /division by zero/)
  assert.deepEqual(await templates(), before)
  assert.deepEqual(await temporaries(bench), [])
  const missing = await preview('pr_broken', small, { 'pre-swap-hooks': 'missing.sql' }).done
  failed(missing, /missing\.sql/)
  assert.ok(!(await bench.postgres.databases()).includes('pr_broken'))
})

test('the newest N templates stay', async () => {
  await dropTemplates()
  const recipe = (name: string) => ({ 'template-cache': '2', 'pg-restore-args': name })
  const kept: string[] = []
  for (const option of ['--no-comments', '--no-publications', '--no-subscriptions']) {
    const run = succeeded(await preview('pr_many', small, recipe(option)).done)
    kept.push(makes.exec(run.log)![1]!)
  }
  assert.deepEqual(await templates(), kept.slice(1).sort())
  const one = { ...recipe('--no-publications'), 'template-cache': '1' }
  const last = succeeded(await preview('pr_many', small, one).done)
  assert.match(last.log, copies)
  assert.match(last.log, new RegExp(`Dropped the older template "${kept[2]}"`))
  assert.deepEqual(await templates(), [kept[1]])
})

test('a template that another run copies is not dropped', async () => {
  await dropTemplates()
  const first = succeeded(await preview('pr_used', small).done)
  const used = makes.exec(first.log)![1]!
  await using session = await holdDatabases(bench)
  const copying = preview('pr_copying', small)
  await copying.waitForLog(copies)
  await waitsFor(bench, 'CREATE DATABASE "pr_copying')
  const other = preview('pr_other', small, { 'template-cache': '1', 'pg-restore-args': '--no-comments' })
  await other.waitForLog(makes)
  await session.end()
  succeeded(await copying.done)
  succeeded(await other.done)
  for (const name of ['pr_copying', 'pr_other']) assert.equal(await bench.state(name), 'dumped')
  assert.ok([1, 2].includes((await templates()).length))
  assert.ok((await templates()).includes(used) || /Dropped the older template/.test((await other.done).log))
})

/** A hook that waits until a role of that name exists: roles are seen from every database. */
function waitingHook(role: string): string {
  const file = `wait_for_${role}.sql`
  const look = `exit when exists (select from pg_roles where rolname = '${role}'); perform pg_sleep(0.02);`
  writeFileSync(join(workspace, file), `do $$ begin loop ${look} end loop; end $$;`)
  return file
}

const go = (role: string) => bench.postgres.psql('postgres', `create role ${role}`)

async function waitForHook(role: string): Promise<void> {
  const sql = `select 1 from pg_stat_activity where query like 'do $$%' || $1 || '%'`
  const look = async () => (await bench.postgres.query('postgres', sql, [role])).length > 0
  await until(look, `the hook that waits for ${role}`)
}

test('killed while it is built: it is never used, and the post step removes it', async () => {
  await dropTemplates()
  const hooks = { 'pre-swap-hooks': waitingHook('go_on') }
  const action = preview('pr_killed', small, hooks)
  await waitForHook('go_on')
  action.kill()
  const run = await action.done
  await go('go_on')
  await allGone(bench)
  assert.deepEqual(await templates(), [])
  const left = await temporaries(bench)
  assert.equal((await marker(bench, left[0]!))?.kind, 'staging')
  assert.match(succeeded(await preview('pr_killed', small, hooks).done).log, makes)
  assert.deepEqual(await temporaries(bench), left, 'too young to be swept')
  succeeded(await runPost(run))
  assert.deepEqual(await temporaries(bench), [])
})

test('killed at the last statement of the build: it is no template', async () => {
  await dropTemplates()
  const hooks = { 'pre-swap-hooks': waitingHook('go_further') }
  const action = preview('pr_end', small, hooks)
  await waitForHook('go_further')
  const held = await holdDatabases(bench)
  await go('go_further')
  await using session = await holdAt(bench, 'ALTER DATABASE', held)
  action.kill()
  await action.done
  await session.end()
  await allGone(bench)
  assert.deepEqual(await templates(), [])
  const [left] = await temporaries(bench)
  assert.equal((await marker(bench, left!))?.kind, 'staging')
  await mark(bench, left!, { at: longAgo })
  const next = succeeded(await preview('pr_end', small, hooks).done)
  assert.match(next.log, makes)
  assert.match(next.log, /which a killed run left behind/)
  assert.equal(await bench.state('pr_end'), 'dumped')
  assert.deepEqual(await temporaries(bench), [])
})

test('pg_restore is killed while it builds: no template, nothing left', async () => {
  await dropTemplates()
  await using proxy = await startProxy(bench.postgres)
  proxy.stallAfter(50_000, 'client')
  const url = { 'database-url': bench.postgres.url('pr_oom', { port: proxy.port }), jobs: '1' }
  const action = preview('pr_oom', shop, url)
  await until(() => proxy.bytes.client >= 50_000, 'data to flow')
  const child = descendants(action.pid).find(({ argv }) => /pg_restore$/.test(argv[0] ?? ''))
  kill(child!.pid, 'SIGKILL')
  const run = failed(await action.done, /pg_restore .*SIGKILL/)
  assert.deepEqual(await templates(), [])
  assert.deepEqual(await temporaries(bench), [])
  await assertNothingLeft({ run, postgres: bench.postgres, folder: bench.folder })
})

test('two first restores at once make one template', async () => {
  await dropTemplates()
  const both = ['pr_x', 'pr_y'].map((name) => preview(name, shop))
  const runs = await Promise.all(both.map(async (one) => succeeded(await one.done)))
  assert.equal(runs.filter((run) => makes.test(run.log)).length, 1)
  assert.equal(runs.filter((run) => copies.test(run.log)).length, 1)
  assert.equal((await templates()).length, 1)
  for (const name of ['pr_x', 'pr_y'])
    assert.deepEqual(await compareDatabases(bench.postgres, 'shop', bench.postgres, name), [])
})

test('a dump without a manifest gets no template', async () => {
  await dropTemplates()
  const key = await bench.dump('small')
  rmSync(join(bench.folder, `${key}.json`))
  const run = succeeded(await preview('pr_foreign', key).done)
  assert.ok(run.warnings.some((warning) => /template-cache has no effect/.test(warning)))
  assert.deepEqual(await templates(), [])
})
