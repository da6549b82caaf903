/**
 * The steps of the examples that use this Action, one after the other, against a local server and a folder in the place
 * of secrets and bucket. What differs with a bucket is in the tests of storage and roles.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { type GitHubApi, startGitHub } from '../../lab/github/github.ts'
import { type Postgres, startPostgres } from '../../lab/postgres/postgres.ts'
import { type ActionRun, runAction } from '../../lab/runner/action.ts'
import { root as project } from '../../lab/runner/action-inputs.ts'
import { evaluate, isOurs, readWorkflow, type Step } from '../../lab/runner/workflows.ts'
import { tempFolder } from '../../lab/temp.ts'

let postgres: Postgres
let github: GitHubApi
let pullRequest = '7'
const identity = await generateX25519Identity()
const scope = new AsyncDisposableStack()
const { path: root } = scope.use(tempFolder('recipes'))
const workspace = join(root, 'shop')

before(async () => {
  postgres = scope.use(await startPostgres())
  github = scope.use(await startGitHub())
  await postgres.createDatabase('production')
  await using session = await postgres.connect('production')
  await session.query(`
    create table customers (
      id int primary key, email text not null, full_name text, phone text, settings jsonb, birth_date date, notes text,
      created_at timestamptz default now());
    insert into customers select n, 'real-' || n || '@company.com', 'Real Name', '030 12-34', '{"theme": "dark", "name": "real"}',
      '1985-06-07', 'real notes' from generate_series(1, 499) as n;
    insert into customers (id, email, full_name) values (500, 'team@shop.example', 'The Team');
    create table orders (
      id int primary key, customer_id int references customers, created_at timestamptz default now(), contact text);
    insert into orders select n, n % 500 + 1, now(), email
      from generate_series(1, 2000) as n join customers as c on c.id = n % 500 + 1;
    create table django_session (session_key text primary key);
    insert into django_session values ('secret')`)
  mkdirSync(join(workspace, 'scripts'), { recursive: true })
  mkdirSync(join(workspace, '.github'))
  cpSync(join(project, 'examples/pgclone-mask.yml'), join(workspace, '.github/pgclone-mask.yml'))
  writeFileSync(join(workspace, '.github/dump-recipients.txt'), await identityToRecipient(identity))
  writeFileSync(join(workspace, 'scripts/anonymise.sql'), "update customers set email = id || '@example.com'")
  const migrate = `psql -c "create table migrated ()"`
  writeFileSync(join(workspace, 'package.json'), JSON.stringify({ scripts: { migrate } }))
})
after(() => scope.disposeAsync())

/** The databases that stand behind the secrets. */
const DATABASES: Record<string, string> = {
  PRODUCTION_URL: 'production',
  STAGING_URL: 'staging',
  MASKED_URL: 'staging',
  OLD_URL: 'production',
  NEW_URL: 'moved',
  REHEARSAL_URL: 'rehearsal',
}

type Outputs = Record<string, Record<string, string>>

/** Expressions as the runner would evaluate them here. */
function evaluated(expression: string, outputs: Outputs): string {
  const [, step, output] = /^steps\.(\w+)\.outputs\.([\w-]+)$/.exec(expression) ?? []
  if (step) return outputs[step]![output!]!
  if (expression === 'secrets.PREVIEW_SERVER') return postgres.url('x').replace(/\/x(\?.*)?$/, '')
  if (expression === 'github.event.number') return pullRequest
  if (expression === 'secrets.AGE_IDENTITY') return identity
  if (expression === 'secrets.MASK_KEY') return 'a key for the recipes'
  const database = DATABASES[expression.replace('secrets.', '')]
  assert.ok(database, expression)
  return postgres.url(database)
}

/** The inputs of a step with what is here in the place of the bucket and the service containers. */
function inputsOf(step: Step, outputs: Outputs): Record<string, string> {
  const local = (text: string) =>
    evaluate(text, (expression) => evaluated(expression, outputs))
      .replace('s3://BUCKET/', `${join(root, 'bucket')}/`)
      .replace('sslmode=require', 'sslmode=disable')
      .replace(/^postgres:\/\/postgres:[\w-]+@localhost:5432\/(\w+)$/, (_, name) => postgres.url(name))
  // They concern the bucket.
  const wanted = Object.entries(step.with ?? {}).filter(([name]) => !name.startsWith('aws-'))
  const given = Object.fromEntries(wanted.map(([name, text]) => [name, local(text)]))
  return { 'install-tools': 'never', ...given }
}

/** Runs the steps of a job that are ours, those for which `wanted` holds. */
async function runJob(
  file: string,
  job: string,
  wanted: (step: Step) => boolean = () => true,
): Promise<ActionRun[]> {
  const outputs: Outputs = {}
  const runs: ActionRun[] = []
  for (const step of readWorkflow(`examples/${file}`).jobs[job]!.steps.filter(isOurs).filter(wanted)) {
    const run = await runAction(inputsOf(step, outputs), { cwd: workspace, env: github.env })
    assert.equal(run.exitCode, 0, `${file}, ${step.name}:\n${run.log}`)
    if (step.id) outputs[step.id] = run.outputs
    runs.push(run)
  }
  return runs
}

/** What a statement answers, in a database of the server. */
async function ask(database: string, sql: string): Promise<unknown> {
  await using session = await postgres.connect(database)
  const [row] = await session.query(sql)
  return Object.values(row as object)[0]
}

test('nightly backup: dumped, verified, and kept', async () => {
  const [dump, verify, prune] = await runJob('nightly-backup.yml', 'backup')
  assert.equal(verify!.outputs.verified, 'true')
  assert.deepEqual(JSON.parse(prune!.outputs.kept!), [dump!.outputs['dump-key']])
})

test('staging: refreshed without personal data, and dumped for previews', async () => {
  await runJob('staging-refresh.yml', 'refresh')
  assert.equal(
    Number(await ask('staging', "select count(*) from customers where email like '%@company.com'")),
    0,
  )
  assert.equal(Number(await ask('staging', 'select count(*) from orders')), 2000)
})

test('preview: restored from the masked dump with the migrations of the branch, and dropped', async () => {
  await runJob('preview.yml', 'database')
  assert.equal(
    Number(await ask('preview_7', "select count(*) from customers where email like '%@example.com'")),
    500,
  )
  assert.equal(Number(await ask('preview_7', 'select count(*) from migrated')), 0)
  // A second one was closed while it conflicted, so no run has dropped it.
  pullRequest = '8'
  await runJob('preview.yml', 'database')
  pullRequest = '7'
  github.open = [7]
  await runJob('preview.yml', 'sweep')
  const previews = async () => (await postgres.databases()).filter((name) => name.startsWith('preview_'))
  assert.deepEqual(await previews(), ['preview_7'])
  await runJob('preview.yml', 'drop')
  assert.deepEqual(await previews(), [])
})

test('masked previews: masked before it leaves, checked in the pull request, restored, and dropped', async () => {
  const file = 'masked-previews.yml'
  await postgres.psql(
    'production',
    `insert into customers (id, email) values (501, 'real-501@company.com');
     insert into orders values (2001, 501, now() - interval '1 year', 'real-501@company.com')`,
  )
  const [dumped] = await runJob(file, 'dump')
  assert.match(dumped!.log, /orders: 2,000 of 2,001 rows stay/)
  await postgres.psql(
    'production',
    'delete from orders where id > 2000; delete from customers where id > 500',
  )
  await runJob(file, 'preview')
  const masked = await ask(
    'preview_7',
    `select count(*) from customers where email ~ '^[0-9a-f]{16}@example[.]com$' and settings = '{"theme": "dark"}'
       and birth_date = '1985-01-01' and notes is null and phone ~ '^[0-9]{3} [0-9]{2}-[0-9]{2}$'`,
  )
  assert.equal(Number(masked), 499)
  assert.equal(await ask('preview_7', 'select full_name from customers where id = 500'), 'The Team')
  assert.equal(
    Number(await ask('preview_7', "select count(*) from customers as c where c::text ~* 'real'")),
    0,
  )
  const joined =
    'select count(*) from orders as o join customers as c on c.id = customer_id and contact = email'
  assert.equal(Number(await ask('preview_7', joined)), 2000)
  assert.equal(Number(await ask('preview_7', 'select count(*) from customers')), 500)
  assert.equal(Number(await ask('preview_7', 'select count(*) from django_session')), 0)
  await runJob(file, 'drop')
  assert.ok(!(await postgres.databases()).includes('preview_7'))

  await postgres.createDatabase('app', 'TEMPLATE production')
  await runJob(file, 'check')
  await postgres.psql('app', 'alter table customers add column nickname text')
  const [check] = readWorkflow(`examples/${file}`).jobs.check!.steps.filter(isOurs)
  const refused = await runAction(inputsOf(check!, {}), { cwd: workspace })
  assert.equal(refused.exitCode, 1)
  assert.match(refused.log, /nickname: # looks like: name/)
  await postgres.psql('postgres', 'drop database app')
})

test('tests with real data: dumped once, restored from the cache', async () => {
  const isRestore = ({ with: inputs }: Step) => inputs?.command === 'restore'
  await runJob('ci-seed.yml', 'test', (step) => !isRestore(step))
  const cache = join(workspace, '../cache')
  cpSync(join(workspace, '.pgclone'), cache, { recursive: true })
  rmSync(join(workspace, '.pgclone'), { recursive: true })
  cpSync(cache, join(workspace, '.pgclone'), { recursive: true })
  await runJob('ci-seed.yml', 'test', isRestore)
  assert.equal(Number(await ask('app', 'select count(*) from orders')), 2000)
})

test('another provider: looked at, rehearsed, moved', async () => {
  await runJob('move-provider.yml', 'move')
  assert.equal(Number(await ask('moved', 'select count(*) from orders')), 2000)
  assert.ok(!(await postgres.databases()).includes('rehearsal'))
})

test('restore drill: the evidence says when each backup was verified', async () => {
  const [drill, list] = await runJob('restore-drill.yml', 'drill')
  assert.match(drill!.summary, /\| Assertions \| 1 \| ✅ all hold \|/)
  const [newest] = JSON.parse(list!.outputs.dumps!)
  assert.ok(Date.parse(newest.verified.at) > 0)
  const { result, dump } = JSON.parse(drill!.outputs.evidence!)
  assert.deepEqual([result, dump.key], ['passed', newest.key])
})

test('next to django-pgclone: gzip, without the rows of sessions', async () => {
  await runJob('django-pgclone.yml', 'dump')
  assert.equal(Number(await ask('staging', 'select count(*) from django_session')), 0)
  assert.equal(
    Number(await ask('staging__pre', "select count(*) from customers where email like '%@example.com'")),
    500,
  )
})

test('schema drift: staging has the schema of production, seen from its newest dump', async () => {
  const [drift] = await runJob('schema-drift.yml', 'drift')
  assert.deepEqual([drift!.outputs.changed, drift!.outputs.differences], ['false', '[]'])
})
