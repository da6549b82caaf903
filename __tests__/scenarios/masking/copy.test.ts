import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { catalogue, type Inputs } from '../../../lab/benches/lifecycle-bench.ts'
import { MASKED, type MaskingBench, rowsOf, startMaskingBench } from '../../../lab/benches/masking-bench.ts'
import { carelessPgDump } from '../../../lab/careless-pg-dump.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { brokenConstraints } from '../../../lab/postgres/check-constraints.ts'
import { KEY } from '../../../lab/postgres/mask-cases.ts'
import { KEPT_VALUES, MASKS, RAW_VALUES, writeMaskFile } from '../../../lab/postgres/personal-data.ts'
import { type Postgres, startPostgres } from '../../../lab/postgres/postgres.ts'
import type { ActionOptions, ActionRun } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { INNER, OUTER } from '../../../src/masking/keyed-hash.ts'
import { maskKey } from '../../../src/masking/mask-key.ts'

let bench: MaskingBench
let other: Postgres
let workspace: string
/** The tables of a masked dump that was restored. */
let expected: Record<string, unknown>

const copy = (database: string, more: Inputs = {}, options: ActionOptions = {}): Promise<ActionRun> =>
  bench.run(
    'copy',
    database,
    { ...MASKED, 'source-database-url': bench.recordedUrl(), overwrite: 'true', ...more },
    { cwd: workspace, ...options },
  )

/** The inputs of a copy of a small database, through the proxy. */
const small = (mask = 'small.yml') => ({ mask, 'source-database-url': bench.recordedUrl('small') })

before(async () => {
  bench = await startMaskingBench({ settings: { log_statement: 'all' } })
  workspace = bench.workspace
  other = await startPostgres()
  await bench.make('live', 'live')
  await bench.postgres.createDatabase('small')
  await bench.postgres.psql(
    'small',
    `create table t (id int primary key, who text, what text);
     insert into t values (1, '${RAW_VALUES[0]}', '${KEPT_VALUES.join(' ')}')`,
  )
  const rules = (mask: string) => `tables: {public.t: {keep: [id, what], columns: {who: ${mask}}}}`
  writeFileSync(join(workspace, 'small.yml'), rules('token'))
  writeFileSync(join(workspace, 'long.yml'), rules(`{sql: "repeat(md5(who), 50000)"}`))
  const dump = await bench.run('dump', 'app', MASKED, { cwd: workspace })
  await bench.restorePlainly('restored', succeeded(dump).outputs['dump-key']!)
  expected = await rowsOf(bench.postgres, 'restored')
})
after(async () => {
  await other?.[Symbol.asyncDispose]()
  await bench?.[Symbol.asyncDispose]()
})

test('a copy is what a masked dump restores, on the same server and on another, and no raw value leaves the server', async () => {
  const near = succeeded(await copy('near', { jobs: '4', 'require-masked': 'true' }))
  await bench.assertNoRawValue(near)
  assert.deepEqual(await rowsOf(bench.postgres, 'near'), expected)
  assert.deepEqual(await brokenConstraints(bench.postgres, 'near'), [])
  assert.match(near.summary, /a stream of `pg_dump` into `pg_restore`/)
  assert.match(near.summary, /columns masked/)
  const far = succeeded(await copy('', { jobs: '1', 'database-url': other.url('far') }))
  await bench.assertNoRawValue(far)
  assert.deepEqual(await rowsOf(other, 'far'), expected)
})

test('no raw value leaves the server when an attempt breaks off and the next succeeds', async () => {
  const inputs = small('long.yml')
  // Only the session that reads the long value receives as much: pg_dump reads 0.8 MB of the catalog.
  bench.proxy.resetAfter(1_200_000)
  const heal = (line: string) => void (/Attempt 1/.test(line) && bench.proxy.heal())
  const twice = succeeded(await copy('twice', { ...inputs, retries: '1' }, { onLine: heal }))
  assert.match(twice.log, /Attempt 1 of 2 failed.* psql ended with exit code/)
  await bench.assertNoRawValue(twice)
})

test('a pg_dump that sends what is masked ends the copy without a trace of it', async () => {
  const { inputs, env } = carelessPgDump()
  const stopped = await refused(
    { ...inputs, jobs: '4', retries: '2' },
    /mask stopped the step, because pg_dump delivers the data of .*, which is not kept whole/,
    { env },
  )
  assert.doesNotMatch(stopped.log, /Attempt 2/)
})

test('hooks on both sides get neither the key nor a session that has it', async () => {
  const { inner, outer } = maskKey(KEY)
  const sql = `create table if not exists public.seen (inner_block text, outer_block text);
    insert into public.seen select current_setting('${INNER}', true), current_setting('${OUTER}', true);`
  writeFileSync(join(workspace, 'seen.sql'), sql)
  const file = join(workspace, 'environment.txt')
  const hook = `(env; psql -At -c "select current_setting('${INNER}', true)") >> environment.txt\nseen.sql`
  succeeded(
    await copy('hooked', { ...small(), 'pre-swap-hooks': hook, 'pre-dump-hooks': `env >> environment.txt` }),
  )
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
async function refused(more: Inputs, message: RegExp, options: ActionOptions = {}): Promise<ActionRun> {
  const earlier = await catalogue(bench)
  const run = failed(await copy('live', more, options), message)
  assert.deepEqual(await catalogue(bench), earlier)
  assert.equal(await bench.state('live'), 'live')
  await assertNothingLeft({ run, postgres: bench.postgres, folder: bench.folder, secrets: RAW_VALUES })
  return run
}

test('what cannot be masked is refused, and the target stays as it is', async () => {
  await refused({ 'copy-method': 'template' }, /copy-method: template is not possible, because mask is given/)
  const without = (line: string) => MASKS.replace(line, '')
  writeMaskFile(workspace, without('      bio: text\n'))
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
})

test('a column that a hook adds fails closed', async () => {
  writeFileSync(
    join(workspace, 'grow.sql'),
    `alter table t add column secret text; update t set secret = '${RAW_VALUES[0]}'`,
  )
  await refused({ ...small(), 'pre-dump-hooks': 'grow.sql' }, /public\.t[\s\S]*secret/)
})

test('a dry run shows the plan in the log and in the summary', async () => {
  const run = succeeded(await copy('live', { 'dry-run': 'true' }))
  for (const text of [run.log, run.summary]) assert.match(text, /columns masked/)
  assert.equal(await bench.state('live'), 'live')
})
