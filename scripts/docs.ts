/**
 * Writes what is generated from action.yml: the tables of the README and of docs/inputs.md, and `src/inputs/defaults.ts`.
 * With `--check`, writes nothing and fails when one of them is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parse } from 'yaml'

type Input = { description: string; default?: string }
type Action = { inputs: Record<string, Input>; outputs: Record<string, { description: string }> }

const root = new URL('../', import.meta.url)
const source = readFileSync(new URL('action.yml', root), 'utf8')
const action = parse(source) as Action

/** The inputs that the README shows; docs/inputs.md has all of them. */
const COMMON = [
  'command',
  'database-url',
  'source-database-url',
  'storage-location',
  'aws-role-to-assume',
  's3-config',
  'dump-key',
  'pre-swap-hooks',
  'overwrite',
  'dry-run',
]

const cell = (text: string) => text.trim().replace(/\s+/g, ' ').replaceAll('|', '\\|')

/** The headings of action.yml, `# ── Storage ──`, with the names of the inputs below each. */
function groups(): { title: string; names: string[] }[] {
  const found: { title: string; names: string[] }[] = []
  for (const line of source.slice(0, source.indexOf('\noutputs:')).split('\n')) {
    const title = /^ {2}# ── (.+?) ─/.exec(line)?.[1]
    if (title) found.push({ title, names: [] })
    const name = /^ {2}([a-z0-9-]+):$/.exec(line)?.[1]
    if (name) found.at(-1)?.names.push(name)
  }
  return found
}

function inputTable(names: readonly string[]): string {
  const rows = names.map((name) => {
    const { description, default: value } = action.inputs[name]!
    return `| \`${name}\` | ${value === undefined ? '' : `\`${value}\``} | ${cell(description)} |`
  })
  return ['| Input | Default | Meaning |', '|---|---|---|', ...rows].join('\n')
}

/** One heading with its table for each group of inputs. */
function inputSections(): string {
  return groups()
    .map(({ title, names }) => `### ${title}\n\n${inputTable(names)}`)
    .join('\n\n')
}

function outputTable(): string {
  const rows = Object.entries(action.outputs).map(
    ([name, { description }]) => `| \`${name}\` | ${cell(description)} |`,
  )
  return ['| Output | Value |', '|---|---|', ...rows].join('\n')
}

function defaults(): string {
  const quoted = (text: string) => (text.includes("'") ? JSON.stringify(text) : `'${text}'`)
  const property = (name: string) => (/^\w+$/.test(name) ? name : `'${name}'`)
  const entries = Object.entries(action.inputs).map(
    ([name, input]) => `  ${property(name)}: ${quoted(input.default ?? '')},`,
  )
  return [
    '/** The inputs and their defaults. Generated from action.yml by `npm run docs`; change them there. */',
    'export const DEFAULTS = {',
    ...entries,
    '} as const',
    '',
    'export type InputName = keyof typeof DEFAULTS',
    '',
  ].join('\n')
}

/** A page with the content between its markers replaced. */
function withSections(page: string, sections: Record<string, string>): string {
  let text = readFileSync(new URL(page, root), 'utf8')
  for (const [name, content] of Object.entries(sections)) {
    const section = new RegExp(`(<!-- ${name}: generated -->)[\\s\\S]*?(<!-- /${name} -->)`)
    if (!section.test(text)) throw new Error(`${page} has no section "${name}"`)
    text = text.replace(section, (_, begin, end) => `${begin}\n\n${content}\n\n${end}`)
  }
  return text
}

const files: Record<string, string> = {
  'README.md': withSections('README.md', { 'common-inputs': inputTable(COMMON) }),
  'docs/inputs.md': withSections('docs/inputs.md', { inputs: inputSections(), outputs: outputTable() }),
  'src/inputs/defaults.ts': defaults(),
}

for (const [name, content] of Object.entries(files)) {
  const path = new URL(name, root)
  if (!process.argv.includes('--check')) {
    writeFileSync(path, content)
  } else if (readFileSync(path, 'utf8') !== content) {
    console.error(`${name} is out of date with action.yml: run "npm run docs"`)
    process.exitCode = 1
  }
}
