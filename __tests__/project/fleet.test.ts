/** The reusable workflows of `.github/workflows`, step by step, against a local server and a folder in place of the bucket. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type GitHubApi, startGitHub } from '../../lab/github/github.ts'
import { type Postgres, startPostgres } from '../../lab/postgres/postgres.ts'
import { runAction } from '../../lab/runner/action.ts'
import { evaluate, isOurs, readWorkflow, type Step } from '../../lab/runner/workflows.ts'
import { tempFolder } from '../../lab/temp.ts'

let postgres: Postgres
let github: GitHubApi
const scope = new AsyncDisposableStack()
const { path: root } = scope.use(tempFolder('fleet'))
const workspace = join(root, 'shop')
const DATABASES = ['billing', 'a "name" of 50 % | `ü`', 'scratch_1']

before(async () => {
  postgres = scope.use(await startPostgres())
  github = scope.use(await startGitHub())
  mkdirSync(join(workspace, '.github'), { recursive: true })
  for (const name of DATABASES) {
    await postgres.createDatabase(name)
    await postgres.psql(name, 'create table t as select n from generate_series(1, 1000) as n')
  }
})
after(() => scope.disposeAsync())

/** What the expressions of a job are worth, by the text of each. */
type Values = Record<string, string>

/** Runs the steps of a job, and returns its outputs, its summary, and the log of the last step. */
async function runJob(file: string, name: string, values: Values) {
  const { jobs, on } = readWorkflow(`.github/workflows/${file}`)
  const defaults = Object.entries(on.workflow_call!.inputs).map(([input, { default: text = '' }]) => [
    `inputs.${input}`,
    text,
  ])
  const known: Values = { ...Object.fromEntries(defaults), ...values }
  const worth = (text: string) => evaluate(text, (expression) => known[expression] ?? '')
  const summary = join(root, 'summary.md')
  writeFileSync(summary, '')
  const last = { status: 0, log: '' }
  const isWanted = ({ if: condition = '' }: Step) => {
    const [, input, operator] = /^(inputs\.[\w-]+) (==|!=) ''$/.exec(condition) ?? []
    return input === undefined || (known[input] === '') === (operator === '==')
  }
  for (const step of jobs[name]!.steps.filter((step) => (isOurs(step) || step.run) && isWanted(step))) {
    const outputs: Values = {}
    if (isOurs(step)) {
      const given = Object.entries(step.with!).filter(([input]) => !input.startsWith('aws-'))
      const inputs = Object.fromEntries(given.map(([input, text]) => [input, worth(text)]))
      const run = await runAction(
        { ...inputs, 'install-tools': 'never' },
        { cwd: workspace, env: github.env },
      )
      Object.assign(outputs, run.outputs)
      Object.assign(last, { status: run.exitCode, log: run.log })
    } else {
      const file = join(root, 'output')
      writeFileSync(file, '')
      const env = Object.fromEntries(
        Object.entries(step.env ?? {}).map(([variable, text]) => [variable, worth(text)]),
      )
      const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', step.run!], {
        env: { ...env, GITHUB_OUTPUT: file, GITHUB_STEP_SUMMARY: summary },
        encoding: 'utf8',
      })
      Object.assign(last, { status, log: stdout + stderr })
      for (const line of readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')) {
        const [output, ...rest] = line.split('=')
        outputs[output!] = rest.join('=')
      }
    }
    for (const [output, text] of Object.entries(outputs)) known[`steps.${step.id}.outputs.${output}`] = text
    if (last.status !== 0) break
  }
  const given = Object.entries((jobs[name] as { outputs?: Values }).outputs ?? {})
  const outputs = Object.fromEntries(given.map(([output, text]) => [output, worth(text)]))
  return { ...last, outputs, summary: readFileSync(summary, 'utf8') }
}

/** Runs the job of a fleet that lists the databases. */
async function listFleet(inputs: Values) {
  const given = Object.entries({
    instance: 'eu-1',
    'storage-location': join(root, 'dumps'),
    'url-options': 'sslmode=disable',
    ...inputs,
  })
  const server = postgres.url('x').replace(/\/x(\?.*)?$/, '')
  const values: Values = {
    ...Object.fromEntries(given.map(([input, text]) => [`inputs.${input}`, text])),
    'secrets.server-url': server,
  }
  const list = await runJob('fleet.yml', 'list', values)
  const chosen: { name: string; path: string; config: string }[] =
    list.status === 0 ? JSON.parse(list.outputs.databases!) : []
  return { values, server, list, chosen }
}

/** Runs the jobs of a fleet. Databases that `breaks` names are gone before their jobs begin. */
async function runFleet(inputs: Values, breaks: readonly string[] = []) {
  const { values, server, list, chosen } = await listFleet(inputs)
  assert.equal(list.status, 0, list.log)
  const results: (number | null)[] = []
  for (const { name, path, config } of chosen) {
    const url = path === '' ? '' : `${server}/${breaks.includes(name) ? 'gone' : path}?sslmode=disable`
    const job = { ...values, 'inputs.config': config, 'secrets.database-url': url }
    results.push((await runJob('backup.yml', 'dump', job)).status)
  }
  const summary = await runJob('fleet.yml', 'summary', {
    ...values,
    'needs.backup.result': results.every((status) => status === 0) ? 'success' : 'failure',
    'needs.list.outputs.databases': list.outputs.databases!,
    'needs.list.outputs.began': list.outputs.began!,
  })
  return { chosen, summary }
}

test('every database of a server gets a dump, by its exact name, and previews do not; one that fails is named', async () => {
  const url = { 'source-database-url': postgres.url('billing'), 'database-url': postgres.url('preview_1') }
  const made = await runAction({ command: 'copy', 'install-tools': 'never', ...url }, { cwd: workspace })
  assert.equal(made.exitCode, 0, made.log)
  const { chosen, summary } = await runFleet({ 'exclude-databases': 'none' }, ['scratch_1'])
  assert.deepEqual(chosen.map(({ name }) => name).sort(), DATABASES.toSorted())
  // One that fails does not stop the others, and the summary names it and fails.
  assert.equal(summary.status, 1)
  assert.match(summary.summary, /^### ❌ 2 of 3 have a dump of this run\n/)
  assert.match(summary.summary, /\| ✅ billing \| \d{4}-.*Z \| 0\.0 MB \| 1,000 \|/)
  assert.match(summary.summary, /\| ✅ a &#34;name&#34; of 50 &#37; &#124; &#96;&#252;&#96; \|/)
  assert.match(summary.summary, /\| ❌ scratch_1 \| none \|/)
  assert.match(summary.log, /::error::1 of 3 databases have no dump of this run; their jobs say why/)
})

test('patterns choose the databases, and one that matches none is not green', async () => {
  const patterns = { databases: 'billing\nscratch_*\na*', 'exclude-databases': 'scratch_*' }
  const { chosen } = await listFleet(patterns)
  assert.deepEqual(chosen.map(({ name }) => name).sort(), DATABASES.slice(0, 2).toSorted())
  const { list } = await listFleet({ databases: 'Billing' })
  assert.equal(list.status, 1)
  assert.match(list.log, /::error::No database matches the input databases/)
})

test('the sets of the config file are a fleet too', async () => {
  const sets = {
    one: { 'database-url': postgres.url('billing') },
    two: { 'database-url': postgres.url('scratch_1') },
  }
  writeFileSync(join(workspace, '.github/sets.yml'), JSON.stringify(sets))
  const { chosen, summary } = await runFleet({ configs: 'one\ntwo\n', 'config-file': '.github/sets.yml' })
  assert.deepEqual(
    chosen.map(({ config }) => config),
    ['one', 'two'],
  )
  assert.equal(summary.status, 0, summary.log)
  assert.match(summary.summary, /^### ✅ 2 of 2 have a dump of this run\n/)
  assert.match(summary.summary, /\| ✅ one [\s\S]*\| ✅ two /)
})

test('a preview is restored for a pull request, dropped with it, and swept when it stayed', async () => {
  const values = {
    'inputs.storage-location': join(root, 'previews'),
    'inputs.config': 'nightly',
    'inputs.url-options': 'sslmode=disable',
    'inputs.require-masked': 'false',
    'inputs.migrate': 'psql -c "create table migrated ()"',
    'secrets.server-url': postgres.url('x').replace(/\/x(\?.*)?$/, ''),
    'github.event.number': '7',
  }
  const dump = { ...values, 'secrets.database-url': postgres.url('billing') }
  assert.equal((await runJob('backup.yml', 'dump', dump)).status, 0)
  const made = await runJob('preview.yml', 'database', values)
  assert.equal(made.status, 0, made.log)
  assert.equal(made.outputs.database, 'preview_7')
  await postgres.psql('preview_7', 'select from migrated')
  const previews = async () => (await postgres.databases()).filter((name) => /^preview_[78]$/.test(name))
  const other = await runJob('preview.yml', 'database', { ...values, 'github.event.number': '8' })
  assert.equal(other.status, 0, other.log)
  github.open = [7]
  assert.equal((await runJob('preview.yml', 'sweep', values)).status, 0)
  assert.deepEqual(await previews(), ['preview_7'])
  assert.equal((await runJob('preview.yml', 'drop', values)).status, 0)
  assert.deepEqual(await previews(), [])
})
