import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { identitySecrets, secretKeysIn } from '../encryption/identities.ts'
import { messageOf } from '../errors.ts'
import type { Environment } from '../process/environment.ts'
import { parsePath, whyUnreadable } from '../process/user-path.ts'
import { mask } from '../report/secrets.ts'
import { DEFAULTS, type InputName } from './defaults.ts'
import { didYouMean } from './nearest.ts'
import { pingSecrets } from './ping-url.ts'
import { configSecrets, urlSecrets } from './secrets-in-inputs.ts'

/** The inputs of one set, as text. */
export type InputSet = Partial<Record<InputName, string>>

/** The chosen set, and the file that contains it. */
export type NamedSet = { file: string; name: string; inputs: InputSet }

/**
 * Inputs that must not be in a set, and why. A step that sets an input to its default looks like one that does not set it,
 * so a set could replace an explicit `command: dump`.
 */
const NOT_IN_A_SET: Readonly<Record<string, string>> = {
  config: 'it chooses the set',
  'config-file': 'it names this file',
  command: 'a set must not change what a step does',
  'github-token': 'a token does not belong in a file',
}

/**
 * Returns the set of inputs that `config` chooses in `config-file`, or null if none is chosen. The secrets in the file are
 * masked before it is parsed.
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

/** Returns the text of the file, or null if the default file does not exist. */
function readFile(file: string, environment: Environment): string | null {
  const path = resolve(environment.GITHUB_WORKSPACE || '.', pathOf(file))
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && file === DEFAULTS['config-file']) return null
    throw new Error(`config-file ${JSON.stringify(file)} cannot be read: it ${whyUnreadable(error)}`, {
      cause: error,
    })
  }
}

function pathOf(file: string): string {
  try {
    return parsePath(file)
  } catch (error) {
    throw new Error(`config-file ${messageOf(error)}`, { cause: error })
  }
}

/** Returns the secrets in a line. It works without parsing, because an error about invalid YAML must not show one either. */
function lineSecrets(line: string): string[] {
  // The first result of urlSecrets is the whole text, which here is a line and not a URL.
  return [
    ...configSecrets(line),
    ...maskKeys(line),
    ...secretKeysIn(line),
    ...(/:\/\/|jdbc:/.test(line) ? urlSecrets(line.replace(/["']\s*$/, '')).slice(1) : []),
  ]
}

/** Returns the `mask-key` in a line, with and without the quotes of YAML. */
function maskKeys(line: string): string[] {
  const written = /["']?mask-key["']?\s*:\s*(.*)/.exec(line)?.[1]?.trim() ?? ''
  return [written, written.replace(/^["']|["'}\s]+$/g, '')]
}

function secretsOf(set: InputSet): string[] {
  const urls = [set['database-url'], set['source-database-url']]
  return [
    ...urls.flatMap((url) => urlSecrets(url ?? '')),
    ...configSecrets(set['s3-config'] ?? ''),
    set['mask-key'] ?? '',
    ...identitySecrets(set['age-identity'] ?? ''),
    ...pingSecrets(set['ping-url'] ?? ''),
  ]
}

/**
 * Parses a file: a mapping of names to mappings of inputs, each a string or a list of strings. Every scalar is a string, as
 * in the inputs of a step (YAML's failsafe schema); `<<` merges one set into another.
 *
 * @throws an Error that lists every mistake
 */
export function parseSets(file: string, text: string): Record<string, InputSet> {
  const wrong = (problem: string) => new Error(`config-file ${file} ${problem}`)
  const document = parseDocument(text, { schema: 'failsafe', merge: true, prettyErrors: true })
  const [error] = document.errors
  if (error) {
    // The parser's message quotes the file, which may contain secrets.
    throw wrong(`is not valid YAML: ${error.code} in line ${error.linePos?.[0].line ?? '?'}`)
  }
  const value = toValue(document, wrong)
  if (value === null || value === '') return {}
  if (!isMapping(value)) throw wrong('must be a mapping of names to sets of inputs')
  const problems: string[] = []
  const sets = Object.entries(value).map(([name, set]) => [name, readSet(name, set, problems)] as const)
  if (problems.length > 0) throw wrong(problems.join('; '))
  return Object.fromEntries(sets)
}

/** Converts the document to a value. Only now are aliases resolved; the library's error would quote their names. */
function toValue(document: ReturnType<typeof parseDocument>, wrong: (problem: string) => Error): unknown {
  try {
    return document.toJS()
  } catch {
    throw wrong(
      'is not valid YAML: an alias (*name) has no anchor (&name) before it, or there are too many aliases',
    )
  }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readSet(set: string, value: unknown, problems: string[]): InputSet {
  if (!isMapping(value)) {
    problems.push(`has the set "${set}", which must be a mapping of inputs to values`)
    return {}
  }
  const inputs = Object.entries(value).map(([name, input]) => {
    try {
      return [checkName(name), toText(input)] as const
    } catch (error) {
      problems.push(`gives "${name}" in the set "${set}", which ${messageOf(error)}`)
      return [name, ''] as const
    }
  })
  return Object.fromEntries(inputs)
}

function checkName(name: string): string {
  if (Object.hasOwn(NOT_IN_A_SET, name)) throw new Error(`must be set in the step: ${NOT_IN_A_SET[name]}`)
  if (Object.hasOwn(DEFAULTS, name)) return name
  throw new Error(`is not an input${didYouMean(name, Object.keys(DEFAULTS))}`)
}

/** Returns a string as it is, and a list as one item per line. An empty value is an error, because it is probably a mistake. */
function toText(value: unknown): string {
  const items = Array.isArray(value) ? value : [value]
  if (!items.every((item) => typeof item === 'string'))
    throw new Error('must be a string or a list of strings')
  if (items.length === 0 || items.some((item) => item.trim() === ''))
    throw new Error('is empty; give it a value, or remove it')
  if (Array.isArray(value) && items.some((item) => /[\r\n]/.test(item.trim())))
    throw new Error('has an item with more than one line; write one item per line')
  return items.join('\n')
}

/** @returns null if `config` has its default and no set has that name */
export function chooseSet(
  file: string,
  sets: Readonly<Record<string, InputSet>>,
  config: string,
): InputSet | null {
  if (Object.hasOwn(sets, config)) return sets[config]!
  if (config === DEFAULTS.config) return null
  const names = Object.keys(sets)
  const hint = didYouMean(config, names) || (names.length > 0 ? `; it has ${names.join(', ')}` : '')
  throw new Error(`config ${JSON.stringify(config)} is not a set of ${file}${hint}`)
}
