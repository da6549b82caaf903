import { killAllChildren } from '../process/child.ts'
import { log } from '../report/log.ts'

/** The runner sends SIGINT, after 7.5 s SIGTERM, after 2.5 s more it kills. Cleaning up must be over before that. */
const CLEANUP_MILLISECONDS = 7_000

/** On Windows the runner presses Ctrl-C and then Ctrl-Break, which Node shows as SIGINT and SIGBREAK. */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGBREAK']

/** Turns the runner's signals into an abort, on which everything that is open unwinds in order. */
export function onCancel(): { signal: AbortSignal; done: () => void } {
  const controller = new AbortController()
  const cancel = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) return
    log.info(`Cancelled by ${name}; cleaning up`)
    controller.abort(new Error('The step was cancelled'))
    setTimeout(giveUp, CLEANUP_MILLISECONDS).unref()
  }
  for (const name of SIGNALS) process.on(name, cancel)
  return {
    signal: controller.signal,
    done: () => {
      for (const name of SIGNALS) process.off(name, cancel)
    },
  }
}

/** What is still open stays in the step's state, for the post step. */
function giveUp(): void {
  killAllChildren()
  log.failed(
    'The step was cancelled, and not everything could be cleaned up in time; the post step tries again',
    'pgclone: cancelled',
  )
  process.exit(1)
}
