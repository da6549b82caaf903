import { text } from 'node:stream/consumers'
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

/** Runs a short command to its end and keeps its output (UTF-8). A cancelled run ends the command. */
export async function run(
  file: string,
  args: readonly string[],
  options: ChildOptions & { input?: string; signal?: AbortSignal },
): Promise<Finished> {
  options.signal?.throwIfAborted()
  const child = startChild(file, args, { ...options, stdin: 'stream', stdout: 'stream' })
  const cancel = () => void endChild(child, ['SIGTERM', 'SIGKILL'], 1000)
  options.signal?.addEventListener('abort', cancel, { once: true })
  child.stdin.end(options.input ?? '')
  const stdout = await text(child.stdout).catch(() => '')
  const exit = await child.exited
  options.signal?.removeEventListener('abort', cancel)
  options.signal?.throwIfAborted()
  return { exit, stdout, child }
}

/** As `run`, and throws the command's own reason unless it ended with 0. */
export async function runChecked(...args: Parameters<typeof run>): Promise<string> {
  const { exit, stdout, child } = await run(...args)
  if (!succeeded(exit)) throw childFailure(child, exit)
  return stdout
}
