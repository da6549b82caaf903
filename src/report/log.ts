import * as core from '@actions/core'
import { neutralise } from '../process/neutralise.ts'
import { hideSecrets } from '../process/secrets.ts'

/** What may be shown of a text of ours: no secret, no workflow command, one line. */
function shown(text: string): string {
  return neutralise(hideSecrets(text))
}

/** The only way to the log: every line loses its secrets and its power over the runner. */
export const log = {
  info: (text: string): void => core.info(shown(text)),
  notice: (text: string): void => core.notice(shown(text)),
  warning: (text: string): void => core.warning(shown(text)),
  debug: (text: string): void => core.debug(shown(text)),
  /** A line of a child process, set off by the child's name. */
  child: (name: string, line: string): void => core.info(`  ${name} | ${shown(line)}`),
  /** Marks the step as failed with one sentence. */
  failed: (text: string): void => core.setFailed(shown(text)),
  /** A group that closes itself, also when its work throws. */
  group: <T>(title: string, work: () => Promise<T>): Promise<T> => core.group(shown(title), work),
}
