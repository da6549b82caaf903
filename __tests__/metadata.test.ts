import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { DEFAULTS } from '../src/inputs/defaults.ts'
import { root } from './support/action-inputs.ts'

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
function sourcesOf(folder: string): string {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(join(folder, name)))
    .join('\n')
}

test('the defaults and the tables of the README are those of action.yml', () => {
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

test('every input is read', () => {
  const reader = read('src/inputs/inputs.ts')
  const unread = Object.keys(action.inputs).filter((name) => !reader.includes(`'${name}'`))
  assert.deepEqual(unread, [])
})

test('every output is set', () => {
  const sources = sourcesOf('src/commands') + read('src/report/outputs.ts')
  const unset = Object.keys(action.outputs).filter(
    (name) => !new RegExp(`['\\s{]${name}['\\s]*:`).test(sources),
  )
  assert.deepEqual(unset, [])
})

test('every input and output is described and documented', () => {
  const readme = read('README.md')
  for (const [name, { description }] of Object.entries({ ...action.inputs, ...action.outputs })) {
    assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/)
    assert.ok(description.trim().length > 10, name)
    assert.ok(readme.includes(`| \`${name}\` |`), `${name} in the README`)
  }
})

test('every input that the README uses exists', () => {
  const used = [...read('README.md').matchAll(/^\s{10,}([a-z0-9-]+):(?=\s|$)/gm)].map((match) => match[1]!)
  const blocks = [
    ...read('README.md').matchAll(
      /uses: [^\n]*pgclone-action[^\n]*\n(?:\s*#.*\n)*( *)with:\n((?:\1 +.*\n|\s*\n)*)/g,
    ),
  ]
  assert.ok(blocks.length > 0 || used.length === 0)
  for (const [, indent, block] of blocks) {
    const names = [...block!.matchAll(new RegExp(`^${indent} {2}([a-z0-9-]+):`, 'gm'))].map(
      (match) => match[1]!,
    )
    for (const name of names) assert.ok(name in action.inputs, `${name} in the README is no input`)
  }
})

test('what the Marketplace and the runner want', () => {
  assert.ok(action.description.length <= 125, 'the Marketplace cuts descriptions at 125 characters')
  assert.match(action.runs.using!, /^node\d+$/)
  for (const step of ['main', 'pre', 'post'].filter((name) => name in action.runs)) {
    assert.ok(existsSync(join(root, action.runs[step]!)), action.runs[step])
  }
})
