import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { SCENARIOS } from '../../lab/failure-scenarios.ts'
import { root } from '../../lab/runner/action-inputs.ts'
import { DEFAULTS } from '../../src/inputs/defaults.ts'
import { readInputs } from '../../src/inputs/read-inputs.ts'

type Described = { description: string; default?: unknown; required?: boolean }
type Action = {
  name: string
  description: string
  inputs: Record<string, Described>
  outputs: Record<string, Described>
  runs: Record<string, string>
}

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const action = parse(read('action.yml')) as Action

/** The text of all source files below a folder. */
function textOf(folder: string): string {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(join(folder, name)))
    .join('\n')
}

test('the defaults and the tables of the pages are those of action.yml', () => {
  execFileSync(process.execPath, [join(root, 'scripts/docs.ts'), '--check'], { stdio: 'pipe' })
  const defaults = Object.entries(action.inputs).map(([name, input]) => [name, input.default ?? ''])
  assert.deepEqual(DEFAULTS, Object.fromEntries(defaults))
})

test('every default is a text, as the runner hands it over', () => {
  // An unquoted `true` or 10m is whatever YAML makes of it.
  for (const [name, { default: value }] of Object.entries(action.inputs)) {
    assert.ok(value === undefined || typeof value === 'string', name)
  }
})

test('every input is read, and no other', () => {
  const asked = new Set<string>()
  const environment = new Proxy<Record<string, string>>(
    { 'INPUT_DATABASE-URL': 'postgres://host/db' },
    {
      get(target, name: string) {
        asked.add(name)
        return target[name]
      },
    },
  )
  readInputs(environment)
  const read = [...asked].filter((name) => name.startsWith('INPUT_'))
  assert.deepEqual(
    read.toSorted(),
    Object.keys(action.inputs)
      .map((name) => `INPUT_${name.toUpperCase()}`)
      .toSorted(),
  )
})

test('every output is set', () => {
  const files = ['src/summary/outcome.ts', 'src/report/outputs.ts', 'src/main.ts']
  const sources = textOf('src/commands') + files.map(read).join('\n')
  const unset = Object.keys(action.outputs).filter(
    (name) => !new RegExp(`['\\s{]${name}['\\s]*:`).test(sources),
  )
  assert.deepEqual(unset, [])
})

test('every input and output occurs in a test', () => {
  const tests = textOf('__tests__')
  // As it is, as a field of what was read, or as a period of the keep rules.
  const spellings = (name: string) => [
    name,
    name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()),
    name.replace(/^keep-/, ''),
  ]
  const untested = Object.keys({ ...action.inputs, ...action.outputs }).filter(
    (name) => !spellings(name).some((spelling) => new RegExp(`\\b${spelling}\\b`).test(tests)),
  )
  assert.deepEqual(untested, [])
})

test('every input and output is described and documented', () => {
  const page = read('docs/inputs.md')
  for (const [name, { description }] of Object.entries({ ...action.inputs, ...action.outputs })) {
    assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/)
    assert.ok(description.trim().length > 10, name)
    assert.ok(page.includes(`| \`${name}\` |`), `${name} in docs/inputs.md`)
  }
})

test('what the Marketplace and the runner want', () => {
  assert.ok(action.description.length <= 125, 'the Marketplace cuts descriptions at 125 characters')
  assert.match(action.runs.using!, /^node\d+$/)
  for (const step of ['main', 'pre', 'post'].filter((name) => name in action.runs)) {
    assert.ok(existsSync(join(root, action.runs[step]!)), action.runs[step])
  }
})

test('every failure scenario has tests of its number, and a row in docs/reliability.md', () => {
  const files = readdirSync(join(root, '__tests__'), { recursive: true, encoding: 'utf8' })
  const tests = files
    .flatMap((file) => (file.endsWith('.test.ts') ? read(join('__tests__', file)) : []))
    .join('\n')
  const page = read('docs/reliability.md')
  for (const number of Object.keys(SCENARIOS)) {
    assert.ok(tests.includes(`#${number.padStart(2, '0')} `), `#${number} has no test`)
    assert.ok(page.includes(`\n| ${number} | `), `#${number} has no row: run "npm run reliability"`)
  }
})
