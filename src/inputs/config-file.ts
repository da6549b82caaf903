import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseDocument } from 'yaml'
import type { Environment } from '../process/environment.ts'
import { mask } from '../report/secrets.ts'
import { DEFAULTS, type InputName } from './defaults.ts'
import { didYouMean } from './nearest.ts'
import { configSecrets, urlSecrets } from './secrets-in-inputs.ts'

/** The inputs of one set, as texts. */
export type InputSet = Partial<Record<InputName, string>>

/** A set that was chosen, and the file that has it. */
export type NamedSet = { file: string; name: string; inputs: InputSet }

/**
 * Inputs that stay in the step, and why. A step that gives the default looks like one that gives nothing, so that a set
 * could turn an explicit `command: dump` into another command.
 */
const NOT_IN_A_SET: Readonly<Record<string, string>> = {
  config: 'it chooses the set',
  'config-file': 'it names this file',
  command: 'a set must not change what a step does',
}

/**
 * The set of inputs that `config` chooses in `config-file`, or null when none is chosen. Its secrets are masked before
 * anything else is done with the file.
 *
 * @throws an Error that completes the sentence "config-file …" or "config …"
 */
export function readNamedSet(file: string, config: string, environment: Environment): NamedSet | null {
  const text = readFile(file, environment)
  if (text === null) return null
  mask(text.split(/\r?\n/).flatMap(lineSecrets))
  const sets = parseSets(file, text)
  mask(Object.values(sets).flatMap(secretsOf))
  const inputs = chooseSet(file, sets, config)
  return inputs && { file, name: config, inputs }
}

/** The text of the file, or null when it is missing and nobody asked for it. */
function readFile(file: string, environment: Environment): string | null {
  const path = resolve(environment.GITHUB_WORKSPACE || '.', file)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && file === DEFAULTS['config-file']) return null
    const reason = code === 'ENOENT' ? 'does not exist; did a step check the repository out?' : `is ${code}`
    throw new Error(`config-file ${JSON.stringify(file)} cannot be read: it ${reason}`, { cause: error })
  }
}

/** Secrets of a line, whatever the file is worth as YAML: an error must not show one. The line is more than its URL. */
function lineSecrets(line: string): string[] {
  return [...configSecrets(line), ...(/:\/\/[^/?#]*:.*@/.test(line) ? urlSecrets(line).slice(1) : [])]
}

function secretsOf(set: InputSet): string[] {
  const urls = [set['database-url'], set['source-database-url']]
  return [...urls.flatMap((url) => urlSecrets(url ?? '')), ...configSecrets(set['s3-config'] ?? '')]
}

/**
 * The sets of a file: a mapping of names to mappings of inputs, each a text or a list of lines. Every scalar is taken
 * as it is written (YAML's failsafe schema), as in the inputs of a step; `<<` merges one set into another.
 *
 * @throws an Error that lists every mistake
 */
export function parseSets(file: string, text: string): Record<string, InputSet> {
  const wrong = (problem: string) => new Error(`config-file ${file} ${problem}`)
  const document = parseDocument(text, { schema: 'failsafe', merge: true, prettyErrors: true })
  const [error] = document.errors
  if (error) {
    // Its message quotes the file, which may hold secrets.
    throw wrong(`is no valid YAML: ${error.code} in line ${error.linePos?.[0].line ?? '?'}`)
  }
  const value = toValue(document, wrong)
  if (value === null || value === '') return {}
  if (!isMapping(value)) throw wrong('must be a mapping of names to sets of inputs')
  const problems: string[] = []
  const sets = Object.entries(value).map(([name, set]) => [name, readSet(name, set, problems)] as const)
  if (problems.length > 0) throw wrong(problems.join('; '))
  return Object.fromEntries(sets)
}

/** What the document says. An alias is resolved only now, and an error of the library would quote its name. */
function toValue(document: ReturnType<typeof parseDocument>, wrong: (problem: string) => Error): unknown {
  try {
    return document.toJS()
  } catch {
    throw wrong('is no valid YAML: an alias (*name) has no anchor (&name) before it, or there are too many')
  }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readSet(set: string, value: unknown, problems: string[]): InputSet {
  if (!isMapping(value)) {
    problems.push(`has the set "${set}", which must be a mapping of inputs`)
    return {}
  }
  const inputs = Object.entries(value).map(([name, input]) => {
    try {
      return [checkName(name), toText(input)] as const
    } catch (error) {
      problems.push(`gives "${name}" in the set "${set}", which ${(error as Error).message}`)
      return [name, ''] as const
    }
  })
  return Object.fromEntries(inputs)
}

function checkName(name: string): string {
  if (Object.hasOwn(NOT_IN_A_SET, name)) throw new Error(`belongs in the step: ${NOT_IN_A_SET[name]}`)
  if (Object.hasOwn(DEFAULTS, name)) return name
  throw new Error(`is no input${didYouMean(name, Object.keys(DEFAULTS))}`)
}

/** A text, or a list of texts as one item a line. An empty value is an error: whoever writes it means something. */
function toText(value: unknown): string {
  const items = Array.isArray(value) ? value : [value]
  if (!items.every((item) => typeof item === 'string')) throw new Error('must be a text or a list of texts')
  if (items.length === 0 || items.some((item) => item.trim() === ''))
    throw new Error('is empty; give it a value, or leave it out')
  if (Array.isArray(value) && items.some((item) => /[\r\n]/.test(item.trim())))
    throw new Error('has an item of more than one line')
  return items.join('\n')
}

/** @returns null when `config` asks for no set */
export function chooseSet(
  file: string,
  sets: Readonly<Record<string, InputSet>>,
  config: string,
): InputSet | null {
  if (Object.hasOwn(sets, config)) return sets[config]!
  if (config === DEFAULTS.config) return null
  const names = Object.keys(sets)
  const hint = didYouMean(config, names) || (names.length > 0 ? `; it has ${names.join(', ')}` : '')
  throw new Error(`config ${JSON.stringify(config)} is no set of ${file}${hint}`)
}
