import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { commandLines, family, kill, peakMemory } from '../processes.ts'
import { tempFolder } from '../temp.ts'
import { endWatchdog, startWatchdog } from '../watchdog.ts'
import { inputVariables, readMetadata, root } from './action-inputs.ts'
import { collectLog, readLog } from './action-log.ts'
import type { WorkflowCommand } from './runner-commands.ts'
import { runnerEnvironment } from './runner-environment.ts'
import { createFileCommands, type FileCommands, parseFileCommand } from './runner-files.ts'

/** How to run the Action. */
export interface ActionOptions {
  /** Variables of the step; an undefined one is removed from the environment. */
  env?: Record<string, string | undefined>
  /** GITHUB_WORKSPACE and current folder; a fresh one by default. */
  cwd?: string
  /** The bundle to run, relative to the repository. */
  entry?: string
  /** A limit in milliseconds, after which everything is killed and the run fails the test. Ten minutes by default: it notices a hang, not a busy machine. */
  timeout?: number
  /** Gets every line as it comes. */
  onLine?: (line: string) => void
}

/** What a run of the Action left to see. */
export interface ActionRun {
  exitCode: number | null
  signal: NodeJS.Signals | null
  /** Standard output and error, line by line in the order of arrival, before masking. */
  log: string
  /** The log as a reader sees it: without the lines that declare masks. */
  visibleLog: string
  outputs: Record<string, string>
  state: Record<string, string>
  exportedEnv: Record<string, string>
  addedPaths: string[]
  summary: string
  /** Every workflow command that the runner would obey. */
  commands: WorkflowCommand[]
  masks: string[]
  errors: string[]
  warnings: string[]
  notices: string[]
  durationMs: number
  /** Peak resident memory of the Action's own process in bytes, without its children. */
  peakRss: number
  pid: number
  /** Command lines of the Action and its children, as far as they lived long enough to be seen. */
  commandLines: string[]
  /** In the environment of the Action and of all its children. */
  marker: string
  runnerTemp: string
  workspace: string
  inputs: Record<string, string>
  options: ActionOptions
}

interface Folders {
  runnerTemp: string
  workspace: string
}

/** A run that has not ended. */
export interface StartedAction {
  pid: number
  child: ChildProcess
  marker: string
  runnerTemp: string
  workspace: string
  /** Waits for a line of the log; fails when the run ends without it. */
  waitForLog(pattern: RegExp): Promise<RegExpExecArray>
  /** Signals the entry process alone, as the runner does when a job is cancelled. */
  signal(name: NodeJS.Signals): void
  /** SIGKILL for the Action and every process that it started: the runner has vanished. */
  kill(): void
  done: Promise<ActionRun>
}

/** Runs the built Action as the runner does, and waits for its end. */
export async function runAction(
  inputs: Record<string, string>,
  options: ActionOptions = {},
): Promise<ActionRun> {
  return await startAction(inputs, options).done
}

/** Runs the post step of a run, with its state and inputs and in its folders. */
export async function runPost(run: ActionRun, options: ActionOptions = {}): Promise<ActionRun> {
  const state = Object.entries(run.state).map(([name, value]) => [`STATE_${name}`, value])
  const merged = { ...run.options, ...options }
  const env = { ...merged.env, ...Object.fromEntries(state) }
  const entry = merged.entry ?? readMetadata().runs.post!
  return await launch(run.inputs, { ...merged, entry, env }, run).done
}

/** Starts the built Action as the runner does. */
export function startAction(inputs: Record<string, string>, options: ActionOptions = {}): StartedAction {
  // The temporary folders go when the test process ends: a post step may follow, and tests look into them.
  const home = tempFolder('runner').path
  const workspace = options.cwd ?? join(home, 'work', 'shop', 'shop')
  return launch(inputs, options, { runnerTemp: join(home, 'work', '_temp'), workspace })
}

function launch(inputs: Record<string, string>, options: ActionOptions, folders: Folders): StartedAction {
  const { runnerTemp, workspace } = folders
  for (const path of [runnerTemp, workspace]) mkdirSync(path, { recursive: true })
  const files = createFileCommands(runnerTemp)
  const marker = `pgclone-test-run-${randomUUID()}`
  const step = {
    ...runnerEnvironment(runnerTemp, workspace, files),
    ...inputVariables(inputs),
    ...options.env,
  }
  const guard = process.env.PGCLONE_LAB_GUARD ? ['--require', join(root, 'lab/loopback-only.cjs')] : []
  const entry = resolve(root, options.entry ?? readMetadata().runs.main)
  const child = spawn(process.execPath, [...guard, entry], {
    cwd: workspace,
    env: { ...step, PGCLONE_TEST_RUN: marker },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A session of its own, by which processes that the Action leaves running are found.
    detached: true,
  })
  const log = collectLog(child, options.onLine)
  const common = { pid: child.pid!, marker, runnerTemp, workspace }
  const done = measure(child, options.timeout ?? 600_000, marker).then(async (measured) => {
    await log.ended
    if (measured.late) throw new Error(`The Action did not end in time:\n${log.lines.join('\n')}`)
    const endWatchdog = { exitCode: child.exitCode, signal: child.signalCode, ...measured }
    return { ...common, ...endWatchdog, ...readLog(log.lines), ...readFiles(files), inputs, options }
  })
  done.catch(() => {}) // It is the caller's to await; a test that fails before must not crash the process.
  const killAll = () => killFamily(common.pid, marker)
  return {
    ...common,
    child,
    done,
    waitForLog: log.waitFor,
    signal: (name) => void child.kill(name),
    kill: killAll,
  }
}

/** Waits for the end, watches what runs meanwhile, and kills what is too late. */
async function measure(child: ChildProcess, timeout: number, marker: string) {
  const started = performance.now()
  const pid = child.pid!
  const watchdog = startWatchdog('kill -KILL -- "-$1"', [String(pid)])
  const seen = { late: false, peakRss: 0, commandLines: new Set<string>() }
  const sample = () => {
    seen.peakRss = peakMemory(pid) ?? seen.peakRss
    for (const line of commandLines(pid)) seen.commandLines.add(line)
  }
  // At once too: on a busy machine a short step ends before the first interval does.
  sample()
  const sampler = setInterval(sample, 40)
  const timer = setTimeout(() => {
    seen.late = true
    killFamily(pid, marker)
  }, timeout)
  await once(child, 'exit')
  clearInterval(sampler)
  clearTimeout(timer)
  endWatchdog(watchdog)
  return { ...seen, commandLines: [...seen.commandLines], durationMs: performance.now() - started }
}

function killFamily(pid: number, marker: string): void {
  for (const one of family(pid, marker)) kill(one.pid, 'SIGKILL')
}

function readFiles(files: FileCommands) {
  return {
    outputs: parseFileCommand(files.output),
    state: parseFileCommand(files.state),
    exportedEnv: parseFileCommand(files.env),
    addedPaths: readFileSync(files.path, 'utf8').split('\n').filter(Boolean),
    summary: readFileSync(files.summary, 'utf8'),
  }
}
