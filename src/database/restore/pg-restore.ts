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

/** Returns the arguments that every `pg_restore` gets. */
export function restoreArguments({ ownerAndAcl, pgRestoreArgs }: RestoreInputs): string[] {
  return [
    '--format=custom',
    '--no-password',
    ...(ownerAndAcl ? [] : ['--no-owner', '--no-acl']),
    ...pgRestoreArgs,
  ]
}

/** Restores into `PGDATABASE`. libpq treats an empty name as not given, and a name in argv could be a connection string. */
export const INTO_PGDATABASE = '--dbname='

/** Every session of pg_restore 17 or later begins with this statement. */
const NEW_SETTING =
  /could not execute query: ERROR: {2}unrecognized configuration parameter "transaction_timeout"/

/** Errors of pg_restore that change nothing about the restored data. Anything else stops the restore. */
const TOLERABLE_ERRORS: readonly { pattern: RegExp; why: string }[] = [
  {
    pattern: NEW_SETTING,
    why: 'a client of version 17 or later sets a parameter that older servers do not have',
  },
  {
    pattern: /must be owner of extension /,
    why: 'the comment of an extension that the server itself installed',
  },
  { pattern: /schema "public" already exists/, why: 'every new database has this schema' },
]

/** Classifies the messages of one pg_restore while they arrive. */
export class ErrorJudge {
  tolerated = 0
  /** The first error that is not tolerated. */
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

  /** @returns whether the line reports an error that is not tolerated */
  read(line: string): boolean {
    const entry = /from TOC entry \d+; \d+ \d+ (.+)$/.exec(line)?.[1]
    if (entry) this.#entry = entry.trim()
    this.#ignored = Number(/errors ignored on restore: (\d+)/.exec(line)?.[1] ?? this.#ignored)
    // Workers write a message in pieces (the program, a space, the word, the rest), so the lines of two may be mixed.
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

  /** pg_restore ends with 1 if it ignored errors. That is a success only if every one of them is known and tolerated. */
  accepts(code: number | null): boolean {
    if (this.fatal !== null) return false
    return code === 0 || (code === 1 && this.#knowsAll())
  }

  /**
   * With several jobs, pg_restore's own count of errors is wrong: a worker that ignored an error counts every later entry as
   * another (`restore_toc_entry` in pg_backup_archiver.c), and does not count the error at the beginning of its session. So
   * messages are counted, and those about the setting anywhere in a line, because workers begin their sessions together.
   */
  #knowsAll(): boolean {
    if (!this.#parallel) return this.tolerated > 0 && this.#ignored === this.tolerated
    const others = this.tolerated - this.#toleratedSettings
    const known = others + this.#settings
    return known > 0 && this.#messages === known && this.#ignored >= others
  }
}

/**
 * Returns a stream into a pg_restore that may stop reading. It does so when it has everything it needs, which is not a
 * failure. The remaining bytes are discarded, so that the whole dump is still counted and hashed.
 */
export function untilClosed(stdin: Writable): Writable {
  let written: (() => void) | null = null
  // A write in progress may never be answered.
  const finishWrite = () => {
    const done = written
    written = null
    done?.()
  }
  stdin.once('close', finishWrite)
  return new Writable({
    highWaterMark: 1 << 20,
    write: (chunk, _encoding, done) => {
      if (!stdin.writable) return done()
      written = done
      stdin.write(chunk, finishWrite)
    },
    final: (done) => {
      stdin.end()
      done()
    },
  })
}

/** An error about a name without a schema: `relation "t"`, `function f(integer)`. */
const UNQUALIFIED = /ERROR: {2}(?:(?:relation|type) "[^".]+"|function [^".(\s]+\(.*\)) does not exist/

/** Returns the fix for an error that does not name it. pg_dump itself qualifies every name. */
function hintFor(error: string): string {
  if (!UNQUALIFIED.test(error)) return ''
  return '. A function that the restore calls for a materialized view, an index, a constraint or a generated column uses this name without its schema, but pg_restore works with an empty search_path. In the source, add the schema to the name, or use ALTER FUNCTION … SET search_path'
}

/** Starts a `pg_restore` that is judged by its messages as well as its exit code. The first error that is not tolerated ends it. */
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

/** Starts one `pg_restore` that restores while the archive arrives, as the sink of a transfer. */
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
