import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

/** Signals a process and everything that it started. It is not an error if the process has already ended. */
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

const END_POLLS = 20
const END_POLL_INTERVAL_MS = 50

/** Kills the process with this identity and everything that it started, and waits a moment until it has ended. */
export async function endGroup(pid: number, identity: string): Promise<void> {
  for (let poll = 0; poll < END_POLLS && processIdentity(pid) === identity; poll += 1) {
    signalGroup(pid, 'SIGKILL')
    await wait(END_POLL_INTERVAL_MS)
  }
}

/**
 * When a process started, which distinguishes it from a later one with the same PID; `''` if it has ended or the start
 * time is unknown. On Linux it is field 22 of /proc/PID/stat (proc(5)), counted after the name, which may contain anything.
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
