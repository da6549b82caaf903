import { askCommand, type Command, runCommand, withSudo } from './command.ts'
import type { ToolOptions } from './options.ts'

/** One way to install something. The commands run one after the other; `cleanup` runs in any case. */
export type Attempt = {
  /** For the log: `Debian package postgresql-client-16`. */
  name: string
  commands: readonly Command[]
  cleanup?: readonly Command[]
}

/** The result of an installation: what was wanted, or the reason why each attempt failed. */
export type Installation<T> = { found: T } | { failures: readonly string[] }

let last: Promise<unknown> = Promise.resolve()

/**
 * Runs one installation after the other. A step looks for both tools at the same time, and every package manager has a
 * lock: the second one would wait for it too long, or not at all (apk).
 */
export function oneAtATime<T>(work: () => Promise<T>): Promise<T> {
  const result = last.then(work)
  last = result.catch(() => undefined)
  return result
}

/** Makes one attempt after the other until `find` finds what was wanted. */
export async function tryInOrder<T>(
  attempts: readonly Attempt[],
  options: ToolOptions,
  find: () => Promise<T | undefined>,
): Promise<Installation<T>> {
  const refusal = await refusalOfRoot(attempts, options)
  if (refusal) return { failures: [refusal] }
  const failures: string[] = []
  for (const attempt of attempts) {
    options.log(`Installing ${attempt.name} …`)
    const failure = await runAttempt(attempt, options)
    // A failed command may still have installed the program, and a successful one may have installed another version.
    const found = await find()
    if (found) {
      options.log(`Installed ${attempt.name}; the package manager checked its signature or digest`)
      return { found }
    }
    failures.push(`${attempt.name}: ${failure ?? 'it was installed, but it cannot be used'}`)
    options.log(failures.at(-1)!)
  }
  return { failures }
}

/** Why commands that need root cannot run. It is asked once, so that not every attempt fails. */
async function refusalOfRoot(
  attempts: readonly Attempt[],
  { environment }: ToolOptions,
): Promise<string | undefined> {
  const needed = attempts.some(({ commands }) => commands.some(({ asRoot }) => asRoot))
  if (!needed || environment.isRoot) return undefined
  const sudo = await askCommand(withSudo({ file: 'true', args: [], asRoot: true }, false), environment)
  return sudo.ok
    ? undefined
    : `installing packages needs root, and sudo does not work here without a password (${sudo.reason})`
}

async function runAttempt(attempt: Attempt, options: ToolOptions): Promise<string | undefined> {
  try {
    for (const command of attempt.commands) {
      const result = await runCommand(command, options)
      if (!result.ok) return result.reason
    }
    return undefined
  } finally {
    // The clean-up runs after a cancellation too, so it does not get the signal.
    for (const command of attempt.cleanup ?? [])
      await runCommand(command, { environment: options.environment })
  }
}
