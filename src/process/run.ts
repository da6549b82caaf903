import { addAbortListener, once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import {
  type Child,
  type ChildOptions,
  childFailure,
  type Exit,
  endChild,
  startChild,
  succeeded,
} from './child.ts'

export type Finished = { exit: Exit; stdout: string; child: Child }

type RunOptions = ChildOptions & {
  input?: string | Buffer
  signal?: AbortSignal
  /** Receives the started child; what it returns is called when the child has ended. */
  onStart?: (child: Child) => () => void
}

/** Runs a short command to its end and returns its output (UTF-8). Cancelling ends the command. */
export async function run(file: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  options.signal?.throwIfAborted()
  const child = startChild(file, args, { ...options, stdin: 'stream', stdout: 'stream' })
  const cancel = () => void endChild(child, ['SIGTERM', 'SIGKILL'], 1000)
  using _ = options.signal && addAbortListener(options.signal, cancel)
  const ended = options.onStart?.(child)
  child.stdin.end(options.input ?? '')
  const [stdout, exit] = await Promise.all([readAll(child), child.exited])
  ended?.()
  options.signal?.throwIfAborted()
  return { exit, stdout, child }
}

/** How long a pipe may be silent after the command has ended; then only a process that it left behind keeps it open. */
const MAX_SILENCE_MS = 2000

/** Reads the whole output, up to its end or to the end of the command. */
async function readAll(child: Child): Promise<string> {
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const closed = once(child.stdout, 'close').catch(() => undefined)
  await Promise.race([closed, child.exited])
  for (let seen = -1; seen !== chunks.length && !child.stdout.closed; ) {
    seen = chunks.length
    await Promise.race([closed, wait(MAX_SILENCE_MS, undefined, { ref: false })])
  }
  child.stdout.destroy()
  return Buffer.concat(chunks).toString('utf8')
}

/** As `run`, but throws the command's own reason unless it ended with exit code 0. */
export async function runChecked(...args: Parameters<typeof run>): Promise<string> {
  const { exit, stdout, child } = await run(...args)
  if (!succeeded(exit)) throw childFailure(child, exit)
  return stdout
}
