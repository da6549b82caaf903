import { type Child, describeExit, type Exit, succeeded } from '../process/child.ts'
import { pick, toolEnvironment } from '../process/environment.ts'
import { run } from '../process/run.ts'
import type { ToolEnvironment, ToolOptions } from './options.ts'

/** What to run, as data, so that plans can be compared in tests. */
export type Command = {
  file: string
  args: readonly string[]
  /** Needs root: runs under `sudo -n` when we are not root. */
  asRoot?: boolean
  env?: Readonly<Record<string, string>>
  /** Default 60; a package manager on a slow mirror gets more. */
  timeoutSeconds?: number
}

export type CommandResult = { ok: true; stdout: string } | { ok: false; reason: string }

const PROXY = /^(?:https?|no|all)_proxy$/i

/** The command as it is spawned: `sudo -n` never asks for a password, it fails at once instead. */
export function withSudo(command: Command, isRoot: boolean): Command {
  if (!command.asRoot || isRoot) return command
  const kept = ['http_proxy', 'https_proxy', 'no_proxy', ...Object.keys(command.env ?? {})]
  return {
    ...command,
    file: 'sudo',
    args: ['-n', `--preserve-env=${kept.join(',')}`, command.file, ...command.args],
  }
}

/** Runs a short command silently. Only a cancelled run throws; a timeout is a failure like any other. */
export async function runCommand(
  command: Command,
  { environment, signal }: Pick<ToolOptions, 'signal'> & { environment: ToolEnvironment },
): Promise<CommandResult> {
  const { file, args } = withSudo(command, environment.isRoot)
  const seconds = command.timeoutSeconds ?? 60
  const timeout = AbortSignal.timeout(seconds * 1000)
  try {
    const { exit, stdout, child } = await run(file, args, {
      name: command.file,
      env: {
        ...toolEnvironment(environment.env),
        ...pick(environment.env, (name) => PROXY.test(name)),
        ...command.env,
      },
      onErrorLine: () => false,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    return succeeded(exit) ? { ok: true, stdout } : { ok: false, reason: reasonOf(child, exit) }
  } catch (error) {
    signal?.throwIfAborted()
    if (!timeout.aborted) throw error
    return { ok: false, reason: `${command.file} did not end within ${seconds} s` }
  }
}

/** Package managers say the cause first and the consequence last, so a single line would not do. */
function reasonOf(child: Child, exit: Exit): string {
  const said = child.tail.slice(-3).map((line) => line.trim())
  return [`${child.name} ${describeExit(exit)}`, ...said].join(': ').replace(/\.$/, '')
}
