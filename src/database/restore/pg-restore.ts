import { Writable } from 'node:stream'
import { type Child, childFailure, endChild, startChild } from '../../process/child.ts'
import type { Sink } from '../../process/transfer.ts'
import { log } from '../../report/log.ts'
import { hideValues } from '../../report/neutralise.ts'

/** How to restore. */
export type RestoreInputs = {
  ownerAndAcl: boolean
  pgRestoreArgs: readonly string[]
  /** Matched against the text of an error. */
  tolerateErrors: readonly RegExp[]
}

/** The arguments of every `pg_restore` of ours. */
export function restoreArguments({ ownerAndAcl, pgRestoreArgs }: RestoreInputs): string[] {
  return [
    '--format=custom',
    '--no-password',
    ...(ownerAndAcl ? [] : ['--no-owner', '--no-acl']),
    ...pgRestoreArgs,
  ]
}

/** Restores into `PGDATABASE`: an empty name is "not given" for libpq, and a name in argv could be a connection string. */
export const INTO_PGDATABASE = '--dbname='

/** Each session of a pg_restore 17 or later begins with it. */
const NEW_SETTING =
  /could not execute query: ERROR: {2}unrecognized configuration parameter "transaction_timeout"/

/** Errors of pg_restore that change nothing about the restored data. Anything else stops the restore. */
const TOLERABLE_ERRORS: readonly { pattern: RegExp; why: string }[] = [
  {
    pattern: NEW_SETTING,
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
  #settings = 0
  #toleratedSettings = 0
  #messages = 0
  #entry = ''
  readonly #patterns: readonly RegExp[]
  readonly #parallel: boolean

  constructor(tolerateErrors: readonly RegExp[], parallel = false) {
    this.#patterns = [...TOLERABLE_ERRORS.map(({ pattern }) => pattern), ...tolerateErrors]
    this.#parallel = parallel
  }

  /** @returns whether the line tells of an error that may not pass */
  read(line: string): boolean {
    const entry = /from TOC entry \d+; \d+ \d+ (.+)$/.exec(line)?.[1]
    if (entry) this.#entry = entry.trim()
    this.#ignored = Number(/errors ignored on restore: (\d+)/.exec(line)?.[1] ?? this.#ignored)
    // Two workers may mix what they write piece by piece: the program, a space, the word, and the rest of the line.
    if (/^ *(?:pg_restore|error|fatal):/.test(line))
      this.#messages += line.match(/\b(?:error|fatal): /g)?.length ?? 0
    this.#settings += line.split(NEW_SETTING).length - 1
    const error = /^pg_restore: (?:error|fatal): (.+)$/.exec(line)?.[1]
    if (!error) return false
    if (this.#patterns.some((pattern) => pattern.test(error))) {
      this.tolerated += 1
      if (NEW_SETTING.test(error)) this.#toleratedSettings += 1
      log.info(`  tolerated (${this.#entry || 'no entry'}): ${hideValues(error)}`)
      return false
    }
    this.fatal ??= hideValues(error) + (this.#entry ? ` [in ${this.#entry}]` : '')
    return true
  }

  /** pg_restore ends with 1 when it ignored errors; that is good only when we know and tolerate each of them. */
  accepts(code: number | null): boolean {
    if (this.fatal !== null) return false
    return code === 0 || (code === 1 && this.#knowsAll())
  }

  /**
   * Its own count of errors is wrong with several jobs: a worker that ignored one reports every later entry as another
   * (`restore_toc_entry` in pg_backup_archiver.c), and no worker reports what its session began with. There we count
   * messages, and those about the setting wherever they are in a line, because workers begin their sessions at once.
   */
  #knowsAll(): boolean {
    if (!this.#parallel) return this.tolerated > 0 && this.#ignored === this.tolerated
    const others = this.tolerated - this.#toleratedSettings
    const known = others + this.#settings
    return known > 0 && this.#messages === known && this.#ignored >= others
  }
}

/**
 * A pg_restore that has all it wants stops reading; that is an end and no death. What comes after is thrown away, so
 * that the whole dump still passes our counters.
 */
export function untilClosed(stdin: Writable): Writable {
  let written: (() => void) | null = null
  // A write that was under way may never be answered.
  const settle = () => {
    const done = written
    written = null
    done?.()
  }
  stdin.once('close', settle)
  return new Writable({
    highWaterMark: 1 << 20,
    write: (chunk, _encoding, done) => {
      if (!stdin.writable) return done()
      written = done
      stdin.write(chunk, settle)
    },
    final: (done) => {
      stdin.end()
      done()
    },
  })
}

/** A name without a schema, as the server gives it back: `relation "t"`, `function f(integer)`. */
const UNQUALIFIED = /ERROR: {2}(?:(?:relation|type) "[^".]+"|function [^".(\s]+\(.*\)) does not exist/

/** What to change, where the error does not say it. pg_dump itself qualifies every name. */
function hintFor(error: string): string {
  if (!UNQUALIFIED.test(error)) return ''
  return '. A function that the restore calls, for a materialised view, an index, a constraint or a generated column, names it without its schema; pg_restore works with an empty search_path. Name the schema there, or ALTER FUNCTION … SET search_path in the source'
}

/** A running `pg_restore`, judged by its messages and not by its exit code alone. Its first fatal error ends it. */
export function startJudged(
  pgRestore: string,
  args: readonly string[],
  options: { inputs: RestoreInputs; env: Record<string, string>; stdin: 'stream' | 'none' },
): { child: Child; ended: Promise<Error | null> } {
  const judge = new ErrorJudge(
    options.inputs.tolerateErrors,
    args.some((arg) => arg.startsWith('--jobs=')),
  )
  const child: Child = startChild(pgRestore, args, {
    env: options.env,
    stdin: options.stdin,
    onErrorLine: (line) => {
      if (judge.read(line)) child.kill('SIGTERM')
    },
  })
  const ended = child.exited.then((exit) => {
    if (judge.accepts(exit.code)) return null
    const failure = childFailure(child, exit)
    if (judge.fatal === null) return failure
    return new Error(`pg_restore failed: ${judge.fatal}${hintFor(judge.fatal)}`, { cause: failure })
  })
  return { child, ended }
}

/** One `pg_restore` that restores while the archive arrives, as the sink of a transfer. */
export function startRestore(pgRestore: string, inputs: RestoreInputs, env: Record<string, string>): Sink {
  const args = [...restoreArguments(inputs), INTO_PGDATABASE]
  const { child, ended } = startJudged(pgRestore, args, { inputs, env, stdin: 'stream' })
  const stream = untilClosed(child.stdin)
  return {
    stream,
    died: ended.then((reason) => reason ?? new Promise<never>(() => undefined)),
    commit: async () => {
      stream.end()
      const reason = await ended
      if (reason) throw reason
    },
    abort: () => endChild(child, ['SIGTERM', 'SIGKILL'], 1500).then(() => undefined),
  }
}
