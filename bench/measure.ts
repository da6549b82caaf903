import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** One run of a command with everything that it starts. */
export type Measured = {
  seconds: number
  /** Peak resident bytes: of the whole tree of processes, and of its first process alone. */
  treePeak: number
  ownPeak: number
}

const SAMPLE_MILLISECONDS = 100

/** Runs a command to its end. @throws an Error with what it printed when it fails: a failed run has no duration. */
export async function measure(
  file: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<Measured> {
  const started = process.hrtime.bigint()
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (output = (output + chunk).slice(-4000)))
  const peak = { tree: 0, own: 0 }
  const timer = setInterval(() => sample(child.pid!, peak), SAMPLE_MILLISECONDS)
  const code = await new Promise((resolve) => child.once('close', resolve))
  clearInterval(timer)
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}:\n${output}`)
  return { seconds: Number(process.hrtime.bigint() - started) / 1e9, treePeak: peak.tree, ownPeak: peak.own }
}

function sample(root: number, peak: { tree: number; own: number }): void {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? read(`/proc/${name}/stat`) : ''
    const parent = /\) \S (\d+)/.exec(stat)?.[1]
    if (parent) parents.set(Number(name), Number(parent))
  }
  const isInTree = (pid: number): boolean => pid === root || (parents.has(pid) && isInTree(parents.get(pid)!))
  const tree = [...parents.keys()].filter(isInTree)
  peak.tree = Math.max(
    peak.tree,
    tree.reduce((sum, pid) => sum + memory(pid, 'VmRSS'), 0),
  )
  peak.own = Math.max(peak.own, memory(root, 'VmHWM'))
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
