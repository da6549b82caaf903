import { descendants, kill } from '../processes.ts'
import { until } from '../until.ts'
import type { StartedAction } from './action.ts'

/** Waits for a program among the children of a running step. One that only says its version is not at work. */
export function childOf(action: StartedAction, pattern: RegExp): Promise<{ pid: number; argv: string[] }> {
  const find = () =>
    descendants(action.pid).find(({ argv }) => !argv.includes('--version') && pattern.test(argv.join(' ')))
  return until(find, `a child like ${pattern}`)
}

/** SIGKILL for a child of a running step, as the kernel does when memory is short. */
export async function killChild(action: StartedAction, pattern: RegExp): Promise<void> {
  kill((await childOf(action, pattern)).pid, 'SIGKILL')
}
