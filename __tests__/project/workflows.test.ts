import assert from 'node:assert/strict'
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { parse } from 'yaml'
import { inputVariables, readMetadata, root } from '../../lab/runner/action-inputs.ts'
import {
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
const jobs = workflows.flatMap(({ path, jobs }) =>
  Object.entries(jobs).map(([name, job]) => ({ ...job, name: `${path}: ${name}` })),
)

const composites = globSync('.github/actions/*/action.yml', { cwd: root }).map(readComposite)
const steps = [...jobs, ...composites].flatMap(({ steps }) => steps)

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
  const foreign = uses.filter((value) => !value.startsWith('./') && !isOurs({ uses: value }))
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
  for (const job of jobs) assert.ok(Number(job['timeout-minutes']) > 0, job.name)
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
  [/AGE_IDENTITY$/, identity],
  [/_SERVER$|\.server$/, 'postgres://user:password@db.example.com:5432'],
  [/dump-key$/, 'shop/app/nightly/2026-11-01-02-00-00-000000.dump'],
  [/storage-location$/, 's3://dumps/e2e/'],
  [/endpoint-url$/, 'http://localhost:9000'],
  [/s3-config$/, 'AWS_REGION=us-east-1'],
]

function plausible(expression: string): string {
  return PLAUSIBLE.find(([pattern]) => pattern.test(expression))?.[1] ?? 'value'
}

/** @throws an Error that says what the Action would say */
function check(step: Step): void {
  const inputs = Object.fromEntries(
    Object.entries(step.with ?? {}).map(([name, text]) => [name, evaluate(text, plausible)]),
  )
  const { inputs: known } = readMetadata()
  for (const name of Object.keys(inputs)) assert.ok(name in known, `${name} is no input`)
  readInputs({ ...inputVariables(inputs), GITHUB_WORKSPACE: workspace })
}

test('every step of ours has inputs that exist, with values that are allowed', () => {
  const ours = steps.filter(isOurs)
  assert.ok(ours.length > 10)
  for (const step of ours) check(step)
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
