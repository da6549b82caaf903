import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** One run of a command with everything that it starts. */
export type Measured = {
  seconds: number
  /** Peak resident bytes: of the whole tree of processes, and of its first process alone. */
  treePeak: number
  ownPeak: number
  /** Seconds of processor time by program. The server's is under `server`. */
  processor: Record<string, number>
}

const SAMPLE_MILLISECONDS = 100

/** Clock ticks of `/proc/PID/stat`, which Linux fixes at 100 a second for programs (USER_HZ). */
const TICKS_PER_SECOND = 100

/**
 * Runs a command to its end.
 *
 * @param server the process of the database server, whose processor time counts too
 * @throws an Error with what it printed when it fails: a failed run has no duration
 */
export async function measure(
  file: string,
  args: readonly string[],
  { env, server }: { env: Record<string, string>; server: number },
): Promise<Measured> {
  const serverBefore = ticksOf(server, { children: true })
  const started = process.hrtime.bigint()
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (output = (output + chunk).slice(-4000)))
  const samples = new Samples(child.pid!)
  const timer = setInterval(() => samples.take(), SAMPLE_MILLISECONDS)
  const code = await new Promise((resolve) => child.once('close', resolve))
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  clearInterval(timer)
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}:\n${output}`)
  const processor = { ...samples.processor(), server: ticksOf(server, { children: true }) - serverBefore }
  return {
    seconds,
    treePeak: samples.treePeak,
    ownPeak: samples.ownPeak,
    processor: Object.fromEntries(
      Object.entries(processor).map(([name, ticks]) => [name, ticks / TICKS_PER_SECOND]),
    ),
  }
}

/** What the processes of a tree used, as seen in samples. What a process uses after the last sample is missing. */
class Samples {
  treePeak = 0
  ownPeak = 0
  readonly #root: number
  readonly #ticks = new Map<number, { program: string; ticks: number }>()

  constructor(root: number) {
    this.#root = root
  }

  take(): void {
    const tree = treeOf(this.#root)
    for (const pid of tree) {
      const program = read(`/proc/${pid}/comm`).trim()
      // Node.js 24 names its process after its main thread.
      const known = program === 'MainThread' ? 'node' : program
      if (known) this.#ticks.set(pid, { program: known, ticks: ticksOf(pid) })
    }
    const resident = tree.reduce((sum, pid) => sum + memory(pid, 'VmRSS'), 0)
    this.treePeak = Math.max(this.treePeak, resident)
    this.ownPeak = Math.max(this.ownPeak, memory(this.#root, 'VmHWM'))
  }

  /** Ticks by program. */
  processor(): Record<string, number> {
    const sums: Record<string, number> = {}
    for (const { program, ticks } of this.#ticks.values()) sums[program] = (sums[program] ?? 0) + ticks
    return sums
  }
}

/** Returns a process and all that descend from it. */
function treeOf(root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? statOf(Number(name))[1] : undefined
    if (parent) parents.set(Number(name), Number(parent))
  }
  const isInTree = (pid: number): boolean => pid === root || (parents.has(pid) && isInTree(parents.get(pid)!))
  return [...parents.keys()].filter(isInTree)
}

/** Processor time of a process, with that of its children: those that ended, which `/proc` counts, and those that run. */
function ticksOf(pid: number, { children = false } = {}): number {
  const fields = statOf(pid)
  const sum = (from: number, to: number) =>
    fields.slice(from, to).reduce((total, field) => total + Number(field), 0)
  if (!children) return sum(11, 13)
  const running = treeOf(pid).filter((other) => other !== pid)
  return sum(11, 15) + running.reduce((total, other) => total + ticksOf(other), 0)
}

/** The fields of `/proc/PID/stat` that follow the program's name: state, parent, … (proc_pid_stat(5)). */
function statOf(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(') ') + 2).split(' ')
}

function memory(pid: number, field: string): number {
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024
}

/** A process may be gone by the time we look. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
