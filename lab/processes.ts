import { readdirSync, readFileSync } from 'node:fs'

/** A process as /proc shows it. */
export interface ProcessInfo {
  pid: number
  parent: number
  session: number
  argv: string[]
}

/** All living processes (zombies have ended). */
export function processes(): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? [])
}

/** Whether a process lives. */
export function isAlive(pid: number): boolean {
  return readProcess(pid) !== undefined
}

/** Children, grandchildren and so on of a process, without itself. */
export function descendants(pid: number): ProcessInfo[] {
  return childrenOf(pid).flatMap((child) => [readProcess(child) ?? [], descendants(child)].flat())
}

/** Asks the kernel for them instead of reading every process of the machine, because tests ask every few milliseconds. */
function childrenOf(pid: number): number[] {
  const threads = threadsOf(pid).map((thread) => read(`/proc/${pid}/task/${thread}/children`))
  return threads.join('').split(' ').filter(Boolean).map(Number)
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return [] // It ended meanwhile.
  }
}

/** Processes whose arguments or environment contain a text. */
export function processesWith(marker: string): ProcessInfo[] {
  return processes().filter((one) => carries(one, marker))
}

function carries({ pid, argv }: ProcessInfo, marker: string): boolean {
  return pid !== process.pid && (argv.join('\0').includes(marker) || readEnvironment(pid).includes(marker))
}

/**
 * Everything that a process started with `detached: true` left running: its descendants, its session (orphans stay in
 * it), and every process that inherited the environment marker.
 */
export function family(leader: number, marker?: string): ProcessInfo[] {
  const below = new Set(descendants(leader).map(({ pid }) => pid))
  return processes().filter(
    (one) => one.session === leader || below.has(one.pid) || (marker !== undefined && carries(one, marker)),
  )
}

/** Command lines of a process and its descendants. */
export function commandLines(pid: number): string[] {
  const own = readProcess(pid)
  return [...(own ? [own] : []), ...descendants(pid)].map(({ argv }) => argv.join(' ')).filter(Boolean)
}

/** Sends a signal to a process and all its descendants. */
export function killTree(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  for (const one of [pid, ...descendants(pid).map((child) => child.pid)]) kill(one, signal)
}

/** Sends a signal; a process that has ended is no error. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Highest resident memory of a living process so far, in bytes. */
export function peakMemory(pid: number): number | undefined {
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

function readProcess(pid: number): ProcessInfo | undefined {
  // The second field is the name in parentheses and may hold spaces and parentheses itself.
  const stat = read(`/proc/${pid}/stat`)
  const [state, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (!state || state === 'Z' || state === 'X') return undefined
  const argv = read(`/proc/${pid}/cmdline`).replace(/\0$/, '').split('\0')
  return { pid, parent: Number(parent), session: Number(session), argv }
}

function readEnvironment(pid: number): string {
  return read(`/proc/${pid}/environ`)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // It ended meanwhile, or belongs to another user.
  }
}
