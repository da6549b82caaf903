import type { TocEntry } from '../../archive/archive.ts'
import { log } from '../../report/log.ts'
import { hideValues } from '../../report/neutralise.ts'
import { describeFailure, type FailedStatement } from './failed-entry.ts'

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

/**
 * The text of an error. Workers write a message in pieces, the program, the word and the text, so that the beginnings of two
 * may be mixed; the text is one piece.
 */
const ERROR =
  /^ *(?:pg_restore: *)*(?:error|fatal): *(?:(?:pg_restore|error|fatal): *)*(.+)$|^(could not execute query: .+)$/

const MESSAGE = /^ *(?:pg_restore|error|fatal|warning):|^(?:while|from TOC) /

const FEWER_LOCKS = 'set jobs: 1, with which fewer sessions hold locks'

/** Classifies the messages of one pg_restore while they arrive. */
export class ErrorJudge {
  tolerated = 0
  #ignored = 0
  #settings = 0
  #toleratedSettings = 0
  #messages = 0
  #entry: FailedStatement['entry'] = null
  /** The first error that is not tolerated. */
  #failed: FailedStatement | null = null
  /** Whether lines of the failed statement may still follow. */
  #open = false
  readonly #patterns: readonly RegExp[]
  readonly #parallel: boolean
  readonly #entries: () => readonly TocEntry[]

  constructor(
    tolerateErrors: readonly RegExp[],
    { parallel, entries }: { parallel: boolean; entries: () => readonly TocEntry[] },
  ) {
    this.#patterns = [...TOLERABLE_ERRORS.map(({ pattern }) => pattern), ...tolerateErrors]
    this.#parallel = parallel
    this.#entries = entries
  }

  /** Describes the first error that is not tolerated. */
  get fatal(): string | null {
    return this.#failed && describeFailure(this.#failed, this.#entries(), FEWER_LOCKS)
  }

  /** @returns whether the line reports an error that is not tolerated */
  read(line: string): boolean {
    this.#count(line)
    const named = /from TOC entry (\d+); \d+ \d+ (.+)$/.exec(line)
    if (named) this.#entry = { dumpId: Number(named[1]), text: named[2]!.trim() }
    const match = ERROR.exec(line)
    const error = match?.[1] ?? match?.[2]
    if (!error) {
      this.#readStatement(line)
      return false
    }
    this.#open = false
    if (this.#patterns.some((pattern) => pattern.test(error))) {
      this.tolerated += 1
      if (NEW_SETTING.test(error)) this.#toleratedSettings += 1
      log.info(`  tolerated (${this.#entry?.text || 'no entry'}): ${hideValues(error)}`)
      return false
    }
    if (this.#failed === null) {
      this.#failed = { error, entry: this.#entry, command: '' }
      this.#open = true
    }
    return true
  }

  #count(line: string): void {
    this.#ignored = Number(/errors ignored on restore: (\d+)/.exec(line)?.[1] ?? this.#ignored)
    if (/^ *(?:pg_restore|error|fatal):/.test(line))
      this.#messages += line.match(/\b(?:error|fatal): /g)?.length ?? 0
    this.#settings += line.split(NEW_SETTING).length - 1
  }

  /** Reads the statement of the failure, which follows its details. */
  #readStatement(line: string): void {
    if (!this.#open || this.#failed === null) return
    const first = /^Command was: (.*)$/.exec(line)?.[1]
    if (first !== undefined) this.#failed.command = first
    else if (MESSAGE.test(line)) this.#open = false
    else if (this.#failed.command !== '') this.#failed.command += `\n${line}`
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
