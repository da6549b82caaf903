import { messageOf } from '../errors.ts'
import { ask } from '../process/ask.ts'
import { type Child, describeExit, type Exit, succeeded } from '../process/child.ts'
import { pick, toolEnvironment } from '../process/environment.ts'
import { run } from '../process/run.ts'
import type { ToolEnvironment, ToolOptions } from './options.ts'

/** A command as data, so that tests can compare plans. */
export type Command = {
  file: string
  args: readonly string[]
  /** Needs root: runs under `sudo -n` when we are not root. */
  asRoot?: boolean
  env?: Readonly<Record<string, string>>
  /** 60 by default; a package manager on a slow mirror needs more. */
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

/** Runs a short command without showing its output. It throws only when the step is cancelled; a timeout is a failure. */
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
      env: environmentOf(command, environment),
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

/** As `runCommand`, for a question that is answered at once: it is not cancelled, and nothing limits its time. */
export async function askCommand(command: Command, environment: ToolEnvironment): Promise<CommandResult> {
  try {
    const { exitCode, stdout, stderr } = await ask(
      command.file,
      command.args,
      environmentOf(command, environment),
    )
    if (exitCode === 0) return { ok: true, stdout }
    return { ok: false, reason: `${command.file} ended with exit code ${exitCode}: ${stderr.trim()}` }
  } catch (error) {
    return { ok: false, reason: messageOf(error) }
  }
}

function environmentOf({ env }: Command, environment: ToolEnvironment): Record<string, string> {
  return {
    ...toolEnvironment(environment.env),
    ...pick(environment.env, (name) => PROXY.test(name)),
    ...env,
  }
}

/** Package managers name the cause first and the consequence last, so the reason has several lines. */
function reasonOf(child: Child, exit: Exit): string {
  const said = child.tail.slice(-3).map((line) => line.trim())
  return [`${child.name} ${describeExit(exit)}`, ...said].join(': ').replace(/\.$/, '')
}
