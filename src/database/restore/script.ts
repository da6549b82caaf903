import type { TocEntry } from '../../archive/archive.ts'
import { type Child, childFailure, type Exit, startChild } from '../../process/child.ts'
import { PSQL_SCRIPT_OPTIONS } from '../connection/psql-options.ts'
import { describeFailure, type FailedStatement } from './failed-entry.ts'
import type { RestoreOptions } from './pg-restore.ts'

const FEWER_LOCKS = 'set swap: true, which does not restore in one transaction'

/** Starts `psql` on a script that is written into its stdin. `failure` explains its end, with the entry of the statement. */
export function startScript(
  psql: string,
  { env, entries }: Pick<RestoreOptions, 'env' | 'entries'>,
): { runner: Child; failure: (exit: Exit) => Error } {
  const failed = new FailedScript(entries)
  const runner = startChild(psql, [...PSQL_SCRIPT_OPTIONS, '--echo-errors', '--file=-'], {
    env,
    stdin: 'stream',
    stdout: 'stream',
    onErrorLine: (line) => failed.read(line),
  })
  return { runner, failure: (exit) => failed.explain(childFailure(runner, exit)) }
}

/** Reads which statement of a script failed from the messages of `psql --echo-errors`. */
class FailedScript {
  #failed: FailedStatement | null = null
  #open = false
  readonly #entries: () => readonly TocEntry[]

  constructor(entries: () => readonly TocEntry[]) {
    this.#entries = entries
  }

  read(line: string): void {
    const [, message] = /^psql:\S+ (.*)$/.exec(line) ?? []
    if (message?.startsWith('ERROR: ')) this.#failed ??= { error: message, entry: null, command: '' }
    if (message !== undefined) this.#open = message.startsWith('STATEMENT: ')
    if (this.#failed !== null && this.#open)
      this.#failed.command += `${message?.replace(/^STATEMENT: +/, '') ?? line}\n`
  }

  /** Returns the failure of psql with the entry of the statement. */
  explain(failure: Error): Error {
    if (this.#failed === null) return failure
    const where = describeFailure(this.#failed, this.#entries(), FEWER_LOCKS)
    return new Error(`psql failed: ${where}`, { cause: failure })
  }
}
