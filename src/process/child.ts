import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { formatDuration } from '../report/format.ts'
import { log } from '../report/log.ts'
import { rowDataFilter } from '../report/neutralise.ts'
import { hideSecrets } from '../report/secrets.ts'
import { signalGroup } from './process-group.ts'
import { isBatchFile, spawnPlan } from './windows-command.ts'

/** How a child ended: exactly one of the three is set. */
export type Exit = { code: number | null; signal: NodeJS.Signals | null; error: Error | null }

export type ChildOptions = {
  /** Name in the log and in errors; by default the base name of the file. */
  name?: string
  env: Record<string, string>
  cwd?: string
  /** Starts the child as leader of a process group, which signals reach as a whole. */
  group?: boolean
  /** `stream` leaves the pipe to the caller, `none` closes it. Default `none`. */
  stdin?: 'stream' | 'none'
  /** `stream` leaves the pipe to the caller, `log` shows the lines. Default `log`. */
  stdout?: 'stream' | 'log'
  /** Receives every line of stderr before anything is hidden. Returning `false` keeps the line out of the log. */
  onErrorLine?: (line: string) => unknown
}

/** A running program. `exited` never rejects, so that it can be awaited in any order. */
export type Child = {
  readonly name: string
  readonly pid: number | undefined
  readonly stdin: Writable
  readonly stdout: Readable
  readonly exited: Promise<Exit>
  readonly running: boolean
  /** Whether it leads a process group. */
  readonly group: boolean
  /** The last lines of stderr that may be shown. */
  readonly tail: readonly string[]
  kill(signal: NodeJS.Signals): void
}

const MAX_TAIL_LINES = 20
const MAX_LINE_LENGTH = 2000

/** How long output may still arrive after the program has ended. */
const OUTPUT_GRACE_MS = 500

const children = new Set<Child>()

/** Starts a program, never through a shell. If it cannot be started, `exited` resolves with an `error`. */
export function startChild(file: string, args: readonly string[], options: ChildOptions): Child {
  const name = options.name ?? file.replace(/^.*[\\/]/, '').replace(/\.(?:exe|cmd|bat)$/i, '')
  const stdio = [options.stdin === 'stream' ? 'pipe' : 'ignore', 'pipe', 'pipe'] as const
  log.debug(`Starting ${[file, ...args].join(' ').slice(0, MAX_LINE_LENGTH)}`)
  const started = Date.now()
  const plan = spawnPlan(file, args, { platform: process.platform, comSpec: process.env.ComSpec })
  const spawned = spawn(plan.file, [...plan.args], {
    windowsVerbatimArguments: plan.windowsVerbatimArguments,
    env: options.env,
    cwd: options.cwd,
    stdio: [...stdio],
    windowsHide: true,
    detached: options.group === true && process.platform !== 'win32',
  })
  const tail: string[] = []
  // A broken pipe also shows in the child's exit, with a better reason.
  spawned.stdin?.on('error', () => undefined)
  const reads = [readErrors(spawned, name, tail, options.onErrorLine)]
  if (options.stdout !== 'stream') reads.push(readLines(spawned.stdout!, (line) => log.child(name, line)))
  const pipes = options.stdout === 'stream' ? [spawned.stderr!] : [spawned.stdout!, spawned.stderr!]
  const child: Child = {
    name,
    pid: spawned.pid,
    stdin: spawned.stdin as Writable,
    stdout: spawned.stdout!,
    exited: exitOf(spawned, reads, pipes),
    get running() {
      return spawned.exitCode === null && spawned.signalCode === null && spawned.pid !== undefined
    },
    group: options.group === true,
    tail,
    kill: (signal) => {
      // A batch file of Windows runs in cmd.exe, and the program that it started is a child of that.
      const isTree = options.group || (process.platform === 'win32' && isBatchFile(file))
      if (isTree && spawned.pid !== undefined) signalGroup(spawned.pid, signal)
      else spawned.kill(signal)
    },
  }
  children.add(child)
  void child.exited.then((exit) => {
    children.delete(child)
    log.debug(`${name} ${describeExit(exit)} after ${formatDuration(Date.now() - started)}`)
  })
  return child
}

/**
 * Resolves when the process and its output have ended. A grandchild may keep the pipes open for ever, so they are closed
 * after a moment.
 */
async function exitOf(spawned: ChildProcess, reads: Promise<void>[], pipes: Readable[]): Promise<Exit> {
  let error: Error | null = null
  spawned.on('error', (cause) => {
    error = cause
  })
  if (spawned.pid === undefined) {
    if (!error) [error] = (await once(spawned, 'error').catch((cause) => [cause])) as [Error]
    return { code: null, signal: null, error }
  }
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    spawned.once('exit', (exitCode, exitSignal) => resolve([exitCode, exitSignal]))
  })
  await Promise.race([Promise.all(reads), wait(OUTPUT_GRACE_MS, undefined, { ref: false })])
  for (const pipe of pipes) pipe.destroy()
  return { code, signal, error: null }
}

async function readErrors(
  spawned: ChildProcess,
  name: string,
  tail: string[],
  onErrorLine?: (line: string) => unknown,
): Promise<void> {
  const filter = rowDataFilter()
  await readLines(spawned.stderr!, (line) => {
    const wanted = onErrorLine?.(line) !== false
    const shown = filter(line)
    if (shown === null || shown.trim() === '') return
    if (wanted) log.child(name, shown)
    tail.push(hideSecrets(shown))
    if (tail.length > MAX_TAIL_LINES) tail.shift()
  })
}

async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
  lines.on('line', (line) =>
    onLine(line.length > MAX_LINE_LENGTH ? `${line.slice(0, MAX_LINE_LENGTH)}…` : line),
  )
  await once(lines, 'close')
}

/** Whether the program ended with exit code 0. */
export function succeeded(exit: Exit): boolean {
  return exit.code === 0
}

/** How a program ended, in words: `ended with exit code 1`, `was ended by SIGKILL`, `could not be started: …`. */
export function describeExit(exit: Exit): string {
  if (exit.error) return `could not be started: ${exit.error.message}`
  return exit.signal ? `was ended by ${exit.signal}` : `ended with exit code ${exit.code}`
}

/** A program that failed: how it ended, and the last lines that it printed. */
export class ChildError extends Error {
  readonly exit: Exit
  readonly tail: readonly string[]

  constructor(message: string, exit: Exit, tail: readonly string[]) {
    super(message)
    this.exit = exit
    this.tail = tail
  }
}

/** The error for a program that failed: its name, how it ended, and its last message. */
export function childFailure(child: Child, exit: Exit): ChildError {
  const last = (pattern: RegExp) => child.tail.findLast((line) => pattern.test(line))
  // A line that is marked as an error comes before one that only has such a word, such as the name of a table.
  const reason =
    last(/\b(?:error|fatal|panic): /i) ?? last(/error|fatal|denied|unable|failed/i) ?? child.tail.at(-1)
  const message = `${child.name} ${describeExit(exit)}${reason ? `: ${reason.trim()}` : ''}`
  return new ChildError(message, exit, [...child.tail])
}

/**
 * Sends each signal in turn until the child has ended, waiting `grace` milliseconds after each. A process group is killed
 * as a whole at the end, because processes may outlive their leader.
 */
export async function endChild(
  child: Child,
  signals: readonly NodeJS.Signals[],
  grace: number,
): Promise<Exit> {
  for (const signal of signals) {
    if (!child.running) break
    child.kill(signal)
    await Promise.race([child.exited, wait(grace, undefined, { ref: false })])
  }
  if (child.group) child.kill('SIGKILL')
  return child.exited
}

/** Kills every running child, so that none outlives the action. The last resort of a cancelled step. */
export function killAllChildren(): void {
  for (const child of children) child.kill('SIGKILL')
}
