import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

/** The root of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

interface Metadata {
  inputs: Record<string, { default?: string | number | boolean } | null>
  runs: { main: string; post?: string }
}

/** What action.yml says. */
export function readMetadata(): Metadata {
  return parse(readFileSync(new URL('../../action.yml', import.meta.url), 'utf8')) as Metadata
}

/** The `INPUT_…` variables of a step: the given inputs, and the default (or an empty text) of all others. */
export function inputVariables(inputs: Record<string, string>): Record<string, string> {
  const defaults = Object.entries(readMetadata().inputs).map(([name, input]) => [
    name,
    String(input?.default ?? ''),
  ])
  const all = { ...Object.fromEntries(defaults), ...inputs } as Record<string, string>
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [variableName(name), value]))
}

/** Only spaces are replaced: the runner keeps the dashes. */
function variableName(input: string): string {
  return `INPUT_${input.replaceAll(' ', '_').toUpperCase()}`
}
