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
  run?: string
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
  steps: Step[]
}

/** A workflow file: what it says, and its text for what YAML does not keep. */
export type Workflow = {
  path: string
  text: string
  permissions?: unknown
  jobs: Record<string, Job>
}

/** Reads a workflow; every scalar is a text, as the inputs of a step are. */
export function readWorkflow(path: string): Workflow {
  const text = readFileSync(join(root, path), 'utf8')
  return { ...(parse(text, { schema: 'failsafe' }) as Omit<Workflow, 'path' | 'text'>), path, text }
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

/** Replaces every `${{ … }}` of a text. */
export function evaluate(text: string, value: (expression: string) => string): string {
  return text.replace(/\$\{\{\s*(.*?)\s*\}\}/g, (_, expression: string) => value(expression))
}
