import { killAllChildren } from '../process/child.ts'
import { log } from '../report/log.ts'

/** The runner sends SIGINT, SIGTERM 7.5 s later, and kills the step 2.5 s after that. Cleaning up must end before. */
const CLEANUP_TIMEOUT_MS = 7_000

/** On Windows the runner sends Ctrl-C and then Ctrl-Break, which Node reports as SIGINT and SIGBREAK. */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGBREAK']

/** Turns the runner's signals into an abort, so that everything that is open is cleaned up in order. */
export function onCancel(): { signal: AbortSignal; done: () => void } {
  const controller = new AbortController()
  const cancel = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) return
    log.info(`Cancelled by ${name}; cleaning up`)
    controller.abort(new Error('The step was cancelled'))
    setTimeout(giveUp, CLEANUP_TIMEOUT_MS).unref()
  }
  for (const name of SIGNALS) process.on(name, cancel)
  return {
    signal: controller.signal,
    done: () => {
      for (const name of SIGNALS) process.off(name, cancel)
    },
  }
}

/** Ends the step at once. What is still open stays in the step's state, and the post step removes it. */
function giveUp(): void {
  killAllChildren()
  log.failed(
    'The step was cancelled, and not everything could be cleaned up in time; the post step tries again',
    'pgclone: cancelled',
  )
  process.exit(1)
}
