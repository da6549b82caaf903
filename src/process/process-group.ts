import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

/** Signals a process with all that it started. One that has ended is no error. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  if (process.platform === 'win32') {
    spawnSync('taskkill', ['/pid', String(pid), '/t', '/f'], { stdio: 'ignore', windowsHide: true })
    return
  }
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Ends a process that we know by its identity, with all that it started, and waits until it is gone. */
export async function endGroup(pid: number, identity: string): Promise<void> {
  for (let patience = 20; patience > 0 && processIdentity(pid) === identity; patience -= 1) {
    signalGroup(pid, 'SIGKILL')
    await wait(50)
  }
}

/**
 * When a process started, which tells it from a later one of the same number; `''` when it has ended or nobody can say.
 * Linux: field 22 of /proc/PID/stat (proc(5)), counted behind the name, which may hold anything.
 */
export function processIdentity(pid: number): string {
  if (process.platform === 'win32') return ''
  if (process.platform !== 'linux') {
    const options = { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } } as const
    return spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], options).stdout?.trim() ?? ''
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? '' : (fields[19] ?? '')
  } catch {
    return ''
  }
}
