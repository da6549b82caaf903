import type { Outputs } from '../report/outputs.ts'
import type { Markdown } from './markdown.ts'

/** What a command reports: its outputs, and its sections of the job summary. */
export type Outcome = { outputs: Outputs; summary: readonly Markdown[] }
