import assert from 'node:assert/strict'
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { parse } from 'yaml'
import { inputVariables, readMetadata, root } from '../../lab/runner/action-inputs.ts'
import {
  type Call,
  calledWorkflow,
  evaluate,
  isOurs,
  problemsOf,
  readComposite,
  readWorkflow,
  type Step,
} from '../../lab/runner/workflows.ts'
import { tempFolder } from '../../lab/temp.ts'
import { readInputs } from '../../src/inputs/read-inputs.ts'

/** The examples have one file that is not a workflow. */
const workflows = globSync('{.github/workflows,examples}/*.yml', { cwd: root })
  .filter((path) => path !== 'examples/pgclone-mask.yml')
  .sort()
  .map(readWorkflow)
const jobs = workflows.flatMap(({ path, on, jobs }) =>
  Object.entries(jobs).map(([name, job]) => ({ ...job, name: `${path}: ${name}`, call: on.workflow_call })),
)

const composites = globSync('.github/actions/*/action.yml', { cwd: root }).map(readComposite)
const steps = [...jobs, ...composites].flatMap(({ steps }) => steps)
const calls = jobs.filter((job) => calledWorkflow(job) !== null)

test('the parser finds what is wrong', async () => {
  const workflow = workflows[0]!
  for (const [from, to] of [
    ['runs-on:', 'run-on:'],
    ['jobs:\n', 'jobs:\n  second: { if: nobody.knows, runs-on: x, steps: [{ run: x }] }\n'],
  ] as const)
    assert.notDeepEqual(await problemsOf({ ...workflow, text: workflow.text.replace(from, to) }), [])
})

for (const workflow of workflows) {
  test(`GitHub's parser has nothing against ${workflow.path}`, async () => {
    assert.deepEqual(await problemsOf(workflow), [])
  })
}

test('every action is pinned by its commit, with its version beside it, and everywhere the same', () => {
  const texts = [
    ...[...workflows, ...composites].map(({ text }) => text),
    ...globSync('{*,docs/*}.md', { cwd: root }).map((path) => readFileSync(join(root, path), 'utf8')),
  ]
  const uses = texts.flatMap((text) =>
    [...text.matchAll(/^ *(?:- )?uses: (.+)$/gm)].map(([, value]) => value!),
  )
  const foreign = uses.filter(
    (value) => !value.startsWith('./') && !isOurs({ uses: value }) && !calledWorkflow({ uses: value }),
  )
  const pins = new Map<string, Set<string>>()
  for (const value of foreign) {
    const [, name, pin] = /^([\w-]+\/[\w-]+)(?:\/[\w-]+)*@([0-9a-f]{40} # v\d+\.\d+\.\d+)$/.exec(value) ?? []
    assert.ok(name && pin, value)
    pins.set(name, (pins.get(name) ?? new Set()).add(pin))
  }
  assert.ok(pins.size > 3)
  for (const [name, found] of pins) assert.equal(found.size, 1, `${name}: ${[...found].join(', ')}`)
})

test('every package that Dependabot must not move to another major is one of package.json', () => {
  const text = readFileSync(join(root, '.github/dependabot.yml'), 'utf8')
  const { updates } = parse(text) as { updates: { ignore?: { 'dependency-name': string }[] }[] }
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const ignored = updates.flatMap(({ ignore }) => ignore ?? []).map((rule) => rule['dependency-name'])
  assert.ok(ignored.length > 0)
  for (const name of ignored) assert.ok(name in { ...dependencies, ...devDependencies }, name)
})

test('a token can do nothing that a job did not ask for', () => {
  for (const { path, permissions } of workflows) assert.deepEqual(permissions, {}, path)
  for (const { name, permissions } of jobs) assert.equal(typeof (permissions ?? {}), 'object', name)
})

test('no job runs for ever', () => {
  for (const job of jobs.filter((job) => !calls.includes(job))) {
    const limit = evaluate(String(job['timeout-minutes']), (expression) => given(expression, job.call) ?? '')
    assert.ok(Number(limit) > 0, job.name)
  }
})

test('a call of a reusable workflow gives what it needs, and nothing that it does not take', () => {
  assert.ok(calls.length > 1)
  for (const job of calls) {
    const { inputs, secrets } = readWorkflow(calledWorkflow(job)!).on.workflow_call!
    for (const [taken, passed] of [
      [inputs, job.with ?? {}],
      [secrets, job.secrets ?? {}],
    ] as const) {
      for (const name of Object.keys(passed)) assert.ok(name in taken, `${job.name}: ${name}`)
      for (const [name, { required }] of Object.entries(taken))
        assert.ok(required !== 'true' || name in passed, `${job.name}: ${name}`)
    }
  }
})

test('a reusable workflow uses each of its inputs and secrets, and no other', () => {
  for (const { path, on, text } of workflows.filter(({ on }) => on.workflow_call)) {
    for (const kind of ['inputs', 'secrets'] as const) {
      const used = [...text.matchAll(new RegExp(`\\b${kind}\\.([\\w-]+)`, 'g'))].map(([, name]) => name!)
      assert.deepEqual(
        [...new Set(used)].sort(),
        Object.keys(on.workflow_call![kind]).sort(),
        `${path}: ${kind}`,
      )
    }
  }
})

test('a gate waits for every other job of its workflow, also for one that failed', () => {
  const gated = workflows.filter(({ jobs }) => 'gate' in jobs)
  assert.deepEqual(
    gated.map(({ path }) => path),
    ['.github/workflows/ci.yml', '.github/workflows/e2e.yml'],
  )
  for (const { path, jobs } of gated) {
    const { gate, ...others } = jobs
    assert.deepEqual(gate!.needs, Object.keys(others), path)
    assert.equal(gate!.if, 'always()', path)
  }
})

test('what others wrote never becomes part of a script', () => {
  const scripts = steps.flatMap(({ run }) => run ?? [])
  assert.ok(scripts.length > 5)
  for (const script of scripts) assert.doesNotMatch(script, /\$\{\{/)
})

const identity = await generateX25519Identity()

/** A workspace with the file of recipients that the pages name. */
const workspace = tempFolder('workspace').path
mkdirSync(join(workspace, '.github'))
writeFileSync(join(workspace, '.github/dump-recipients.txt'), await identityToRecipient(identity))

/** What an expression may be worth, so that the inputs can be read. */
const PLAUSIBLE: readonly [RegExp, string][] = [
  [/_URL$/, 'postgres://user:password@db.example.com:5432/app'],
  [/AGE[-_]IDENTITY$/i, identity],
  [/database-url$/, 'postgres://user:password@db.example.com:5432/app'],
  // Only with a mask file.
  [/secrets\.mask-key$/, ''],
  [/ping-url$/, 'https://monitor.example.com/ping'],
  [/_SERVER$|\.server$|server-url$/, 'postgres://user:password@db.example.com:5432'],
  [/dump-key$/, 'shop/app/nightly/2026-11-01-02-00-00-000000.dump'],
  [/storage-location$/, 's3://dumps/e2e/'],
  [/endpoint-url$/, 'http://localhost:9000'],
  [/s3-config$/, 'AWS_REGION=us-east-1'],
]

function plausible(expression: string): string {
  return PLAUSIBLE.find(([pattern]) => pattern.test(expression))?.[1] ?? 'value'
}

/** The default of the input of a reusable workflow that an expression names; undefined for any other. */
function given(expression: string, call: Call | undefined): string | undefined {
  return call?.inputs[expression.replace(/^inputs\./, '')]?.default
}

/** @throws an Error that says what the Action would say */
function check(step: Step, call?: Call): void {
  const value = (expression: string) => given(expression, call) ?? plausible(expression)
  const inputs = Object.fromEntries(
    Object.entries(step.with ?? {}).map(([name, text]) => [name, evaluate(text, value)]),
  )
  const { inputs: known } = readMetadata()
  for (const name of Object.keys(inputs)) assert.ok(name in known, `${name} is no input`)
  readInputs({ ...inputVariables(inputs), GITHUB_WORKSPACE: workspace })
}

test('every step of ours has inputs that exist, with values that are allowed', () => {
  assert.ok(steps.filter(isOurs).length > 10)
  for (const { steps, call } of jobs) for (const step of steps.filter(isOurs)) check(step, call)
  for (const { steps } of composites) for (const step of steps.filter(isOurs)) check(step)
  assert.throws(() => check({ with: { command: 'dmup' } }), /command/)
})

/** Every step of ours below a piece of YAML. */
function stepsIn(value: unknown): Step[] {
  if (typeof value !== 'object' || value === null) return []
  return [...(isOurs(value) ? [value as Step] : []), ...Object.values(value).flatMap(stepsIn)]
}

test('the snippets of the pages are YAML, and their steps have inputs that exist, with values that are allowed', () => {
  for (const page of globSync('{*,docs/*}.md', { cwd: root })) {
    const text = readFileSync(join(root, page), 'utf8')
    for (const [, snippet] of text.matchAll(/^```ya?ml\n([\s\S]*?)^```/gm))
      for (const step of stepsIn(parse(snippet!, { schema: 'failsafe' }))) check(step)
  }
})
