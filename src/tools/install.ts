import { type Command, runCommand } from './command.ts'
import type { ToolOptions } from './options.ts'

/** One way to install something. The commands follow each other; `cleanup` runs whatever happened to them. */
export type Attempt = {
  /** For the log: `Debian package postgresql-client-16`. */
  name: string
  commands: readonly Command[]
  cleanup?: readonly Command[]
}

let last: Promise<unknown> = Promise.resolve()

/**
 * One installation after the other: the two tools are looked for at the same time, and every package manager has a lock for
 * which the second would wait in vain, or not at all (apk).
 */
export function oneAtATime<T>(work: () => Promise<T>): Promise<T> {
  const result = last.then(work)
  last = result.catch(() => undefined)
  return result
}

/** Tries one way after the other until `find` finds what was wanted. Adds to `failures` what went wrong. */
export async function tryInOrder<T>(
  attempts: readonly Attempt[],
  options: ToolOptions,
  find: () => Promise<T | undefined>,
  failures: string[],
): Promise<T | undefined> {
  const refusal = await refusalOfRoot(attempts, options)
  if (refusal) {
    failures.push(refusal)
    return undefined
  }
  for (const attempt of attempts) {
    options.log(`Installing ${attempt.name} …`)
    const failure = await runAttempt(attempt, options)
    // A failed command may still have left what we need, and a good one may not have brought it.
    const found = await find()
    if (found) {
      options.log(`Installed ${attempt.name}, whose signature or digest the package manager checks`)
      return found
    }
    failures.push(`${attempt.name}: ${failure ?? 'installed, but it does not serve'}`)
    options.log(failures.at(-1)!)
  }
  return undefined
}

/** Why we may not do what needs root, asked once instead of failing at every attempt. */
async function refusalOfRoot(
  attempts: readonly Attempt[],
  options: ToolOptions,
): Promise<string | undefined> {
  const needed = attempts.some(({ commands }) => commands.some(({ asRoot }) => asRoot))
  if (!needed || options.environment.isRoot) return undefined
  const sudo = await runCommand({ file: 'true', args: [], asRoot: true }, options)
  return sudo.ok
    ? undefined
    : `packages need root, and sudo without a password does not work here (${sudo.reason})`
}

async function runAttempt(attempt: Attempt, options: ToolOptions): Promise<string | undefined> {
  try {
    for (const command of attempt.commands) {
      const result = await runCommand(command, options)
      if (!result.ok) return result.reason
    }
    return undefined
  } finally {
    // Also after a cancel, so without its signal.
    for (const command of attempt.cleanup ?? [])
      await runCommand(command, { environment: options.environment })
  }
}
