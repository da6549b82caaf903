/** What a step did, as one JSON object for the steps after it. */
import type { Inputs } from '../inputs/inputs.ts'
import { needsDatabase } from '../inputs/rules.ts'
import { cutOutput } from '../report/fit-output.ts'
import { formatBytes, formatDuration, formatQuantity } from '../report/format.ts'
import { neutralise } from '../report/neutralise.ts'
import type { Outputs } from '../report/outputs.ts'
import { hideSecrets } from '../report/secrets.ts'
import type { WorkflowRun } from '../step/step.ts'
import { describeLocation } from './summary.ts'

export type Reported = {
  /** Null when they could not be read. */
  inputs: Inputs | null
  status: 'success' | 'failure' | 'cancelled'
  /** Why the step failed, in a sentence. */
  error: string | null
  /** The outputs of the command; none when it failed. */
  outputs: Outputs
  /** What else the summary shows. */
  details: object
  durationMs: number
  attempts: number
  warnings: readonly string[]
  run: WorkflowRun
}

/** A report is for a message, not for data: the outputs have the whole lists. */
const MAX_ELEMENTS = 50

/** Outputs whose text is JSON. */
const JSON_OUTPUTS: readonly string[] = [
  ...['changed', 'deleted', 'differences', 'dropped', 'dumps', 'evidence', 'kept', 'verified'],
]

/** Returns the output `report`. Names are those of the outputs in camel case; what is not known is missing. */
export function reportOf(reported: Reported): string {
  const { inputs, status, error, details, durationMs, attempts, warnings, run } = reported
  const found = Object.fromEntries(
    Object.entries(reported.outputs).map(([name, value]) => [camelCase(name), fieldOf(name, value)]),
  )
  const report = {
    command: inputs?.command,
    status,
    text: textOf(reported),
    error: error ?? undefined,
    ...(inputs ? subjectsOf(inputs) : {}),
    ...found,
    ...details,
    ...{ durationMs, attempts, warnings, run },
  }
  return cutOutput(
    JSON.stringify(brief(report), (_, value) => (typeof value === 'string' ? safe(value) : value)),
  )
}

/** Error messages may quote names of a database, which must not act on the runner. */
const safe = (text: string) => neutralise(hideSecrets(text))

function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}

function fieldOf(name: string, value: Outputs[string]): unknown {
  const text = typeof value === 'object' ? value.shorter : value
  return typeof text === 'string' && JSON_OUTPUTS.includes(name) ? JSON.parse(text) : text
}

/** Shortens lists, and adds the number of all elements of each: `kept` and `keptCount`. */
function brief(report: Record<string, unknown>): Record<string, unknown> {
  const members = Object.entries(report).flatMap(([name, value]) =>
    Array.isArray(value)
      ? [
          [name, value.slice(0, MAX_ELEMENTS)],
          [`${name}Count`, value.length],
        ]
      : [[name, value]],
  )
  return Object.fromEntries(members)
}

/** The databases and the storage that the step is about, without passwords. */
function subjectsOf(inputs: Inputs): Record<string, string | undefined> {
  const { command, connection, sourceConnection, location } = inputs
  const usesStorage =
    command !== 'copy' &&
    command !== 'drop' &&
    !(command === 'diff' && sourceConnection) &&
    !(command === 'list' && inputs.local)
  return {
    target: needsDatabase(inputs) ? connection?.label : undefined,
    source: command === 'copy' || command === 'diff' ? sourceConnection?.label : undefined,
    storage: usesStorage ? describeLocation(location) : undefined,
  }
}

/** One line for a chat: `dump of db/app succeeded in 12.3 s: 1,234 rows, 4.5 MB`. */
function textOf(reported: Reported): string {
  const { inputs, status, error, durationMs } = reported
  if (!inputs) return `pgclone failed: ${error}`
  const { command } = inputs
  const { target, source, storage } = subjectsOf(inputs)
  const what = source ? `${source} to ${target}` : (target ?? storage)
  if (status === 'cancelled') return `${command} of ${what} was cancelled after ${formatDuration(durationMs)}`
  if (status === 'failure')
    return `${command} of ${what} failed after ${formatDuration(durationMs)}: ${error}`
  const facts = amountsOf(reported.outputs)
  return `${command} of ${what} succeeded in ${formatDuration(durationMs)}${facts && `: ${facts}`}`
}

function amountsOf(outputs: Outputs): string {
  const amounts: [name: string, describe: (count: number) => string][] = [
    ['dump-count', (count) => formatQuantity(count, 'dump')],
    ['table-count', (count) => formatQuantity(count, 'table')],
    ['row-count', (count) => formatQuantity(count, 'row')],
    ['dump-size', formatBytes],
  ]
  return amounts
    .flatMap(([name, describe]) => (typeof outputs[name] === 'number' ? [describe(outputs[name])] : []))
    .join(', ')
}
