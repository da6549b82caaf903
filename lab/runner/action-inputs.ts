import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

/** The root of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

interface Metadata {
  inputs: Record<string, { default?: string | number | boolean } | null>
  runs: { main: string; post?: string }
}

let metadata: Metadata | undefined

/** What action.yml says. */
export function readMetadata(): Metadata {
  // A test file starts many steps, and the parser takes longer than some of them.
  metadata ??= parse(readFileSync(new URL('../../action.yml', import.meta.url), 'utf8')) as Metadata
  return metadata
}

/** What `${{ github.token }}` is in every job of the laboratory. */
export const GITHUB_TOKEN = 'ghs_laboratory0123456789abcdef'

/** The `INPUT_…` variables of a step: the given inputs, and the default (or an empty text) of all others. */
export function inputVariables(inputs: Record<string, string>): Record<string, string> {
  const defaults = Object.entries(readMetadata().inputs).map(([name, input]) => [
    name,
    evaluated(String(input?.default ?? '')),
  ])
  const all = { ...Object.fromEntries(defaults), ...inputs } as Record<string, string>
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [variableName(name), value]))
}

/** The only expression that a default of an input may have. */
function evaluated(text: string): string {
  return text === '${{ github.token }}' ? GITHUB_TOKEN : text
}

/** Only spaces are replaced: the runner keeps the dashes. */
function variableName(input: string): string {
  return `INPUT_${input.replaceAll(' ', '_').toUpperCase()}`
}
