import { addAbortListener } from 'node:events'
import { PermanentError } from '../errors.ts'
import { noteGroup } from '../leftovers.ts'
import { childFailure, endChild, startChild, succeeded } from '../process/child.ts'
import { type Environment, hookEnvironment } from '../process/environment.ts'
import { findBash, shellCommand } from '../process/shell.ts'
import { log } from '../report/log.ts'
import { type Connection, clientEnvironment, toUrl } from './connection/connection.ts'
import { PSQL_SCRIPT_OPTIONS } from './connection/psql-options.ts'
import { sqlFile } from './sql-file.ts'

export type HookOptions = { psql: string; environment: Environment; workspace: string; signal: AbortSignal }

/** Returns the program and the arguments that run a hook. */
export function hookCommand(
  hook: string,
  workspace: string,
  platform: NodeJS.Platform,
  hasBash = true,
): { file: 'psql' | string; args: string[] } {
  const path = sqlFile(hook, workspace)
  return path === null
    ? shellCommand(hook, platform, hasBash)
    : { file: 'psql', args: [...PSQL_SCRIPT_OPTIONS, `--file=${path}`] }
}

/**
 * Runs hooks one after the other on a database. The first failure fails the step.
 *
 * @param around is called for each hook, with the name of the hook for messages, and runs it
 */
export async function runHooks(
  what: string,
  hooks: readonly string[],
  connection: Connection,
  options: HookOptions,
  around: (name: string, hook: () => Promise<void>) => Promise<void> = (_, hook) => hook(),
): Promise<void> {
  for (const [index, hook] of hooks.entries()) {
    options.signal.throwIfAborted()
    const name = `${what} ${index + 1} of ${hooks.length}`
    log.info(`${name} on ${connection.database}: ${hook}`)
    await around(name, () => runHook(what, hook, connection, options))
  }
}

async function runHook(
  what: string,
  hook: string,
  connection: Connection,
  options: HookOptions,
): Promise<void> {
  const { file, args } = hookCommand(
    hook,
    options.workspace,
    process.platform,
    await findBash(options.environment),
  )
  const client = clientEnvironment(connection, options.environment)
  const env =
    file === 'psql'
      ? client
      : { ...hookEnvironment(options.environment), ...pgVariables(client), DATABASE_URL: toUrl(connection) }
  const child = startChild(file === 'psql' ? options.psql : file, args, {
    name: 'hook',
    env,
    cwd: options.workspace,
    group: true,
  })
  const forget = noteGroup(child)
  const end = () => endChild(child, ['SIGINT', 'SIGTERM', 'SIGKILL'], 1000)
  using _ = addAbortListener(options.signal, () => void end())
  const exit = await child.exited
  // The hook's background processes must not write any longer, unless the hook succeeded and left them on purpose.
  if (!succeeded(exit) || options.signal.aborted) await end()
  forget()
  options.signal.throwIfAborted()
  // A hook may have had effects outside the database, so only the user can decide to run it again.
  if (!succeeded(exit))
    throw new PermanentError(`${what} ${JSON.stringify(hook)} failed: ${childFailure(child, exit).message}`)
}

function pgVariables(environment: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith('PG')))
}
