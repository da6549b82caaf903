import * as core from '@actions/core'
import { neutralise } from './neutralise.ts'
import { hideSecrets } from './secrets.ts'

/** Makes a text safe to show: one line without secrets and workflow commands. */
function safe(text: string): string {
  return neutralise(hideSecrets(text))
}

/** The title of annotations, which GitHub shows apart from the log. */
const ANNOTATION_TITLE = 'pgclone'

const warnings: string[] = []
let taken = 0

/** Returns the warnings since the last call, for the job summary. */
export function takeWarnings(): string[] {
  const since = warnings.slice(taken)
  taken = warnings.length
  return since
}

/** Returns all warnings of the step so far. */
export function allWarnings(): readonly string[] {
  return warnings
}

/** The only way to write to the log: every line is stripped of secrets and of commands to the runner. */
export const log = {
  info: (text: string): void => core.info(safe(text)),
  notice: (text: string): void => core.notice(safe(text), { title: ANNOTATION_TITLE }),
  warning: (text: string): void => {
    warnings.push(safe(text))
    core.warning(safe(text), { title: ANNOTATION_TITLE })
  },
  debug: (text: string): void => core.debug(safe(text)),
  /** A line of a child process, indented and with the child's name. */
  child: (name: string, line: string): void => core.info(`  ${name} | ${safe(line)}`),
  /** Marks the step as failed with one sentence. The title names what failed. */
  failed: (text: string, title: string): void => {
    process.exitCode = 1
    core.error(safe(text), { title })
  },
  /** A collapsible group around some work. It ends even if the work throws. */
  group: <T>(title: string, work: () => Promise<T>): Promise<T> => core.group(safe(title), work),
}
