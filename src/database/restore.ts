import { Writable } from 'node:stream'
import type { Inputs } from '../inputs/inputs.ts'
import { type Child, childFailure, endChild, startChild } from '../process/child.ts'
import type { Sink } from '../process/transfer.ts'
import { log } from '../report/log.ts'

type RestoreInputs = Pick<Inputs, 'ownerAndAcl' | 'pgRestoreArgs' | 'tolerateErrors'>

/** The arguments of a `pg_restore` that reads an archive from its stdin and writes into `PGDATABASE`. */
export function restoreArguments({ ownerAndAcl, pgRestoreArgs }: RestoreInputs): string[] {
  // An empty name is "not given" for libpq, which then takes PGDATABASE; a name in argv could be a connection string.
  return [
    '--format=custom',
    '--no-password',
    '--dbname=',
    ...(ownerAndAcl ? [] : ['--no-owner', '--no-acl']),
    ...pgRestoreArgs,
  ]
}

/** Errors of pg_restore that change nothing about the restored data. Anything else stops the restore. */
export const TOLERABLE_ERRORS: readonly { pattern: RegExp; why: string }[] = [
  {
    pattern: /unrecognized configuration parameter "transaction_timeout"/,
    why: 'a client of version 17 or later sets it, and older servers do not have it',
  },
  {
    pattern: /must be owner of extension /,
    why: 'the comment of an extension that the server itself installed',
  },
  { pattern: /schema "public" already exists/, why: 'every new database has one' },
]

/** Judges the messages of one pg_restore while they come. */
export class ErrorJudge {
  tolerated = 0
  /** The first error that may not pass. */
  fatal: string | null = null
  #ignored = 0
  #entry = ''
  readonly #patterns: readonly RegExp[]

  constructor(tolerateErrors: readonly RegExp[]) {
    this.#patterns = [...TOLERABLE_ERRORS.map(({ pattern }) => pattern), ...tolerateErrors]
  }

  /** @returns whether the line tells of an error that may not pass */
  read(line: string): boolean {
    const entry = /from TOC entry \d+; \d+ \d+ (.+)$/.exec(line)?.[1]
    if (entry) this.#entry = entry.trim()
    this.#ignored = Number(/errors ignored on restore: (\d+)/.exec(line)?.[1] ?? this.#ignored)
    const error = /^pg_restore: (?:error|fatal): (.+)$/.exec(line)?.[1]
    if (!error) return false
    if (this.#patterns.some((pattern) => pattern.test(error))) {
      this.tolerated += 1
      log.info(`  tolerated (${this.#entry || 'no entry'}): ${error}`)
      return false
    }
    this.fatal ??= this.#entry ? `${error} [in ${this.#entry}]` : error
    return true
  }

  /** pg_restore ends with 1 when it ignored errors; that is good only when we know and tolerate each of them. */
  accepts(code: number | null): boolean {
    if (this.fatal !== null) return false
    return code === 0 || (code === 1 && this.tolerated > 0 && this.#ignored === this.tolerated)
  }
}

/**
 * A pg_restore that has all it wants stops reading; that is an end and no death. What comes after is thrown away, so
 * that the whole dump still passes our counters.
 */
export function untilClosed(stdin: Writable): Writable {
  return new Writable({
    highWaterMark: 1 << 20,
    write: (chunk, _encoding, done) => {
      if (!stdin.writable) return done()
      stdin.write(chunk, () => done())
    },
  })
}

/** A running `pg_restore` as the sink of a transfer. Its first error that may not pass ends it at once. */
export function startRestore(pgRestore: string, inputs: RestoreInputs, env: Record<string, string>): Sink {
  const judge = new ErrorJudge(inputs.tolerateErrors)
  const child: Child = startChild(pgRestore, restoreArguments(inputs), {
    env,
    stdin: 'stream',
    onErrorLine: (line) => {
      if (judge.read(line)) child.kill('SIGTERM')
    },
  })
  const failure = child.exited.then((exit) => {
    return judge.fatal === null ? childFailure(child, exit) : new Error(`pg_restore failed: ${judge.fatal}`)
  })
  return {
    stream: untilClosed(child.stdin),
    died: child.exited.then((exit) =>
      judge.accepts(exit.code) ? new Promise<never>(() => undefined) : failure,
    ),
    commit: async () => {
      child.stdin.end()
      const exit = await child.exited
      if (!judge.accepts(exit.code)) throw await failure
    },
    abort: () => endChild(child, ['SIGTERM', 'SIGKILL'], 1500).then(() => undefined),
  }
}
