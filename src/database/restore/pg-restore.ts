import { Writable } from 'node:stream'
import type { TocEntry } from '../../archive/archive.ts'
import { type Child, childFailure, endChild, startChild } from '../../process/child.ts'
import type { Sink } from '../../process/transfer.ts'
import { ErrorJudge } from './error-judge.ts'

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

export type RestoreOptions = {
  inputs: RestoreInputs
  env: Record<string, string>
  /** The entries of the archive, as far as they have arrived. */
  entries: () => readonly TocEntry[]
}

/** Starts a `pg_restore` that is judged by its messages as well as its exit code. The first error that is not tolerated ends it. */
export function startJudged(
  pgRestore: string,
  args: readonly string[],
  options: RestoreOptions & { stdin: 'stream' | 'none' },
): { child: Child; ended: Promise<Error | null> } {
  const judge = new ErrorJudge(options.inputs.tolerateErrors, {
    parallel: args.some((arg) => arg.startsWith('--jobs=')),
    entries: options.entries,
  })
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
    return new Error(`pg_restore failed: ${judge.fatal}`, { cause: failure })
  })
  return { child, ended }
}

/** Starts one `pg_restore` that restores while the archive arrives, as the sink of a transfer. */
export function startRestore(pgRestore: string, options: RestoreOptions): Sink {
  const args = [...restoreArguments(options.inputs), INTO_PGDATABASE]
  const { child, ended } = startJudged(pgRestore, args, { ...options, stdin: 'stream' })
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
