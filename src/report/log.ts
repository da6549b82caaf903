import * as core from '@actions/core'
import { neutralise } from './neutralise.ts'
import { hideSecrets } from './secrets.ts'

/** What may be shown of a text of ours: no secret, no workflow command, one line. */
function shown(text: string): string {
  return neutralise(hideSecrets(text))
}

/** What stands above an annotation, which GitHub shows away from the log. */
const TITLE = 'pgclone'

const warnings: string[] = []

/** The warnings since the last call, for the job summary. */
export function takeWarnings(): string[] {
  return warnings.splice(0)
}

/** The only way to the log: every line loses its secrets and its power over the runner. */
export const log = {
  info: (text: string): void => core.info(shown(text)),
  notice: (text: string): void => core.notice(shown(text), { title: TITLE }),
  warning: (text: string): void => {
    warnings.push(shown(text))
    core.warning(shown(text), { title: TITLE })
  },
  debug: (text: string): void => core.debug(shown(text)),
  /** A line of a child process, set off by the child's name. */
  child: (name: string, line: string): void => core.info(`  ${name} | ${shown(line)}`),
  /** Marks the step as failed with one sentence, under a title that says what failed. */
  failed: (text: string, title: string): void => {
    process.exitCode = 1
    core.error(shown(text), { title })
  },
  /** A group that closes itself, also when its work throws. */
  group: <T>(title: string, work: () => Promise<T>): Promise<T> => core.group(shown(title), work),
}
