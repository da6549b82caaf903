import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { catalogue, type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { brokenConstraints } from '../../../lab/postgres/check-constraints.ts'
import { readTables } from '../../../lab/postgres/compare.ts'
import { KEY } from '../../../lab/postgres/mask-cases.ts'
import {
  MASK_FILE,
  MASKS,
  makePersonalData,
  RAW_VALUES,
  writeMaskFile,
} from '../../../lab/postgres/personal-data.ts'
import { type Postgres, startPostgres } from '../../../lab/postgres/postgres.ts'
import type { ActionRun } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { INNER, OUTER } from '../../../src/masking/keyed-hash.ts'
import { maskKey } from '../../../src/masking/mask-key.ts'

let bench: LifecycleBench
let other: Postgres
/** The tables of a masked dump that was restored. */
let expected: Record<string, unknown>
const { path: workspace } = tempFolder('workspace')
const masked = { mask: MASK_FILE, 'mask-key': KEY }

const rows = async (postgres: Postgres, database: string) =>
  Object.fromEntries(await readTables(postgres, database))

const copy = (database: string, more: Record<string, string> = {}): Promise<ActionRun> =>
  bench.run(
    'copy',
    database,
    { ...masked, 'source-database-url': bench.postgres.url('app'), overwrite: 'true', ...more },
    { cwd: workspace },
  )

before(async () => {
  bench = await startLifecycleBench({ settings: { log_statement: 'all' } })
  other = await startPostgres()
  await makePersonalData(bench.postgres, 'app')
  await bench.make('live', 'live')
  writeMaskFile(workspace)
  const dump = await bench.run('dump', 'app', masked, { cwd: workspace })
  const key = succeeded(dump).outputs['dump-key']!
  succeeded(await bench.run('restore', 'restored', { 'dump-key': key }))
  expected = await rows(bench.postgres, 'restored')
})
after(async () => {
  await other?.[Symbol.asyncDispose]()
  await bench?.[Symbol.asyncDispose]()
})

test('a copy is what a masked dump restores, with one job and four, on the same server and on another', async () => {
  for (const jobs of ['1', '4']) {
    const run = succeeded(await copy('near', { jobs, 'require-masked': 'true' }))
    assert.deepEqual(await rows(bench.postgres, 'near'), expected)
    assert.deepEqual(await brokenConstraints(bench.postgres, 'near'), [])
    assert.match(run.summary, /a stream of `pg_dump` into `pg_restore`/)
    assert.match(run.summary, /columns masked/)
    succeeded(await copy('', { jobs, 'database-url': other.url('far') }))
    assert.deepEqual(await rows(other, 'far'), expected)
    await assertNothingLeft({ run, postgres: bench.postgres, folder: bench.folder, secrets: RAW_VALUES })
  }
})

test('hooks on both sides get neither the key nor a session that has it', async () => {
  const { inner, outer } = maskKey(KEY)
  const sql = `create table if not exists public.seen (inner_block text, outer_block text);
    insert into public.seen select current_setting('${INNER}', true), current_setting('${OUTER}', true);`
  writeFileSync(join(workspace, 'seen.sql'), sql)
  const file = join(workspace, 'environment.txt')
  const hook = `(env; psql -At -c "select current_setting('${INNER}', true)") >> environment.txt\nseen.sql`
  succeeded(await copy('hooked', { 'pre-swap-hooks': hook, 'pre-dump-hooks': `env >> environment.txt` }))
  assert.ok(existsSync(file))
  const text = readFileSync(file, 'utf8')
  assert.match(text, /PGDATABASE=/)
  for (const secret of [inner, outer, KEY, INNER]) assert.ok(!text.includes(secret))
  assert.equal(
    await bench.postgres.psql(
      'hooked',
      `select coalesce(inner_block, '') || coalesce(outer_block, '') from seen`,
    ),
    '',
  )
  for (const secret of [inner, outer, KEY]) assert.ok(!bench.postgres.log().includes(secret))
})

/** Runs a copy that must be refused before it changes anything. */
async function refused(more: Record<string, string>, message: RegExp): Promise<ActionRun> {
  const earlier = await catalogue(bench)
  const run = failed(await copy('live', more), message)
  assert.deepEqual(await catalogue(bench), earlier)
  assert.equal(await bench.state('live'), 'live')
  await assertNothingLeft({ run, postgres: bench.postgres, folder: bench.folder, secrets: RAW_VALUES })
  return run
}

test('what cannot be masked is refused, and the target stays as it is', async () => {
  await refused({ 'copy-method': 'template' }, /copy-method: template is not possible, because mask is given/)
  const without = (line: string) => MASKS.replace(line, '')
  writeMaskFile(workspace, without('      bio: text\n'))
  await refused({}, /public\.persons[\s\S]*bio/)
  await refused({ 'dry-run': 'true' }, /public\.persons[\s\S]*bio/)
  writeMaskFile(
    workspace,
    MASKS.replace('keep: [id, role, period]', 'keep: [id, role, period, email]').replace(
      '      email: email\n      nick',
      '      nick',
    ),
  )
  await refused({ jobs: '4' }, /public\.persons\.email/)
  writeMaskFile(workspace)
  await refused({ mask: 'none.yml' }, /none\.yml/)
})

test('a column that a hook adds fails closed', async () => {
  await bench.postgres.createDatabase('growing')
  await bench.postgres.psql('growing', 'create table t (id int primary key); insert into t values (1)')
  writeFileSync(join(workspace, 'small.yml'), 'tables: {public.t: {keep: [id]}}')
  const more = { mask: 'small.yml', 'source-database-url': bench.postgres.url('growing') }
  succeeded(await copy('grown', more))
  writeFileSync(
    join(workspace, 'grow.sql'),
    `alter table t add column secret text; update t set secret = '${RAW_VALUES[0]}'`,
  )
  await refused({ ...more, 'pre-dump-hooks': 'grow.sql' }, /public\.t[\s\S]*secret/)
})

test('a dry run shows the plan in the log and in the summary', async () => {
  const run = succeeded(await copy('live', { 'dry-run': 'true' }))
  for (const text of [run.log, run.summary]) assert.match(text, /columns masked/)
  assert.equal(await bench.state('live'), 'live')
})
