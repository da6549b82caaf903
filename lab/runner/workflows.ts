import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { parse } from 'yaml'
import { root } from './action-inputs.ts'

// The package imports its schema without saying that it is JSON, which Node wants to hear.
registerHooks({
  load: (url, context, next) =>
    next(url, url.endsWith('.json') ? { ...context, importAttributes: { type: 'json' } } : context),
})
const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await import(
  '@actions/workflow-parser'
)

/** A step of a workflow. */
export type Step = {
  name?: string
  id?: string
  uses?: string
  if?: string
  run?: string
  env?: Record<string, string>
  with?: Record<string, string>
}

/** A job of a workflow, as far as we look at it. */
type Job = {
  permissions?: unknown
  needs?: string[]
  if?: string
  'timeout-minutes'?: number
  container?: unknown
  services?: Record<string, { env?: Record<string, string> }>
  /** The reusable workflow that it calls; it then has no steps. */
  uses?: string
  with?: Record<string, string>
  secrets?: Record<string, string>
  steps: Step[]
}

/** What a reusable workflow takes. */
export type Call = {
  inputs: Record<string, { required?: string; default?: string }>
  secrets: Record<string, { required?: string }>
}

/** A workflow file: what it says, and its text for what YAML does not keep. */
export type Workflow = {
  path: string
  text: string
  permissions?: unknown
  on: { workflow_call?: Call }
  jobs: Record<string, Job>
}

/** Reads a workflow; every scalar is a text, as the inputs of a step are. */
export function readWorkflow(path: string): Workflow {
  const text = readFileSync(join(root, path), 'utf8')
  const workflow = parse(text, { schema: 'failsafe' }) as Omit<Workflow, 'path' | 'text'>
  const jobs = Object.entries(workflow.jobs).map(([name, job]) => [name, { ...job, steps: job.steps ?? [] }])
  return { ...workflow, jobs: Object.fromEntries(jobs), path, text }
}

/** The steps of a composite action, and its text. */
export function readComposite(path: string): { steps: Step[]; text: string } {
  const text = readFileSync(join(root, path), 'utf8')
  const { runs } = parse(text, { schema: 'failsafe' }) as { runs: { steps: Step[] } }
  return { steps: runs.steps, text }
}

/** What GitHub's own parser has against a workflow: its structure, and every expression in it. */
export async function problemsOf({ path, text }: Workflow): Promise<string[]> {
  const { context, value } = parseWorkflow({ name: path, content: text }, new NoOperationTraceWriter())
  if (value) await convertWorkflowTemplate(context, value)
  return context.errors.getErrors().map(({ message }) => message)
}

/** Whether a step runs this Action: from the repository itself, or as a user does. */
export function isOurs({ uses }: Step): boolean {
  return uses === './' || uses?.startsWith('OWNER/pgclone-action@') === true
}

/** The reusable workflow of this repository that a job calls: from the repository itself, or as a user does; or null. */
export function calledWorkflow({ uses }: { uses?: string }): string | null {
  return (
    /^(?:\.|OWNER\/pgclone-action)\/(\.github\/workflows\/[\w-]+\.yml)(?:@v0)?$/.exec(uses ?? '')?.[1] ?? null
  )
}

/** Replaces every `${{ … }}` of a text. */
export function evaluate(text: string, value: (expression: string) => string): string {
  return text.replace(/\$\{\{\s*(.*?)\s*\}\}/g, (_, expression: string) => value(expression))
}
