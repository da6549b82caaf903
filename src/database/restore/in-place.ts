import { createInterface, type Interface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { PermanentError } from '../../errors.ts'
import { type Child, childFailure, type Exit, endChild, startChild, succeeded } from '../../process/child.ts'
import { pour, type Sink } from '../../process/transfer.ts'
import type { PostgresClient } from '../../tools/postgres/provide-client.ts'
import type { Server } from '../server.ts'
import { workSettings } from '../work-settings.ts'
import { type RestoreOptions, restoreArguments, untilClosed } from './pg-restore.ts'
import { startScript } from './script.ts'

/** Lines that psql prints on the way: everything but the COMMIT is done, and the COMMIT is. */
const READY = 'pgclone-ready'
const COMMITTED = 'pgclone-committed'

/** psql's exit code if a statement failed under ON_ERROR_STOP while it was connected (PostgreSQL documentation, psql). */
const STATEMENT_FAILED = 3

/** pg_restore may notice the broken pipe this much earlier than the action notices the end of psql. */
const PSQL_EXIT_TIMEOUT_MS = 2000

/**
 * Restores into the live database in one transaction, as the sink of a transfer: `pg_restore` converts the archive into a
 * script, and `psql` runs it between a BEGIN and a COMMIT. `pg_restore --single-transaction` would commit as soon as it has
 * read enough, before the dump was compared with its manifest. Here the COMMIT is sent last, so any earlier end rolls back.
 *
 * @param options.beforeCommit statements that run at the end of the transaction and may refuse it
 */
export function startInPlace(
  client: PostgresClient,
  server: Pick<Server, 'major' | 'superuser'>,
  options: RestoreOptions & { beforeCommit: readonly string[] },
): Sink {
  const { inputs, env, beforeCommit } = options
  const script = [...restoreArguments(inputs), '--file=-', '--clean', '--if-exists']
  const maker = startChild(client.pgRestore, script, { env, stdin: 'stream', stdout: 'stream' })
  const { runner, failure } = startScript(client.psql, options)
  const commit = prepareCommit(runner, failure)
  const stop = new AbortController()
  runner.stdin.write(`${workStatements(server).join('')}BEGIN;\n`)
  const moved = pour(withoutNewSettings(maker.stdout, server.major), runner.stdin, stop.signal).catch(
    () => undefined,
  )
  // psql ends by itself only after an error. pg_restore then fails as well, with SIGPIPE or a failed write.
  const makerFailure = async (exit: Exit) => {
    const runnerExit = await Promise.race([runner.exited, wait(PSQL_EXIT_TIMEOUT_MS, null, { ref: false })])
    return runnerExit ? failure(runnerExit) : childFailure(maker, exit)
  }
  const stream = untilClosed(maker.stdin)
  return {
    stream,
    died: Promise.race([
      runner.exited.then(failure),
      maker.exited.then((exit) =>
        succeeded(exit) ? new Promise<never>(() => undefined) : makerFailure(exit),
      ),
    ]),
    commit: async () => {
      stream.end()
      const made = await maker.exited
      if (!succeeded(made)) throw await makerFailure(made)
      // After an error psql ends, and nothing takes the rest of the script.
      await Promise.race([moved, runner.exited])
      await commit(beforeCommit)
    },
    abort: async () => {
      stop.abort()
      await Promise.all([maker, runner].map((child) => endChild(child, ['SIGTERM', 'SIGKILL'], 1500)))
    },
  }
}

/**
 * Returns what ends the transaction of the script. A connection that is lost before the COMMIT was sent may be tried again;
 * one that is lost later may not, because the COMMIT may have been done.
 */
function prepareCommit(
  runner: Child,
  failure: (exit: Exit) => Error,
): (statements: readonly string[]) => Promise<void> {
  const lines = createInterface({ input: runner.stdout })
  const ready = isPrinted(lines, READY)
  const committed = isPrinted(lines, COMMITTED)
  return async (statements) => {
    runner.stdin.write(`${statements.join('\n')}\n\\echo ${READY}\n`)
    if (!(await ready)) throw failure(await runner.exited)
    runner.stdin.end(`COMMIT;\n\\echo ${COMMITTED}\n`)
    const exit = await runner.exited
    if (succeeded(exit) && (await committed)) return
    const cause = failure(exit)
    if (exit.code === STATEMENT_FAILED) throw cause
    // A retry would undo everything that clients have written since.
    throw new PermanentError(
      `The commit of the restore was not confirmed; check the database before running it again: ${cause.message}`,
      { cause },
    )
  }
}

/** Returns statements for the session of the restore. This one waits for the disk, because its database is live. */
function workStatements(server: Pick<Server, 'major' | 'superuser'>): string[] {
  return workSettings(server)
    .filter(([name]) => name !== 'synchronous_commit')
    .map(([name, value]) => `SET ${name} = '${value}';\n`)
}

/** The preamble of a script is shorter than this. */
const PREAMBLE_BYTES = 4096

/** Removes a parameter that `pg_restore` 17 and later sets in its preamble, and that servers before 17 do not have. */
async function* withoutNewSettings(
  script: AsyncIterable<Buffer>,
  serverMajor: number,
): AsyncGenerator<Buffer> {
  let head: Buffer | null = serverMajor < 17 ? Buffer.alloc(0) : null
  const cleaned = (text: Buffer) =>
    Buffer.from(text.toString('latin1').replace('SET transaction_timeout = 0;\n', ''), 'latin1')
  for await (const chunk of script) {
    if (head === null) {
      yield chunk
      continue
    }
    head = Buffer.concat([head, chunk])
    if (head.length < PREAMBLE_BYTES) continue
    yield cleaned(head)
    head = null
  }
  if (head !== null) yield cleaned(head)
}

/** Tells whether psql prints the line, as soon as it has or has closed its output. It prints results of SELECTs as well. */
function isPrinted(lines: Interface, wanted: string): Promise<boolean> {
  return new Promise((resolve) => {
    lines.on('line', (line) => {
      if (line === wanted) resolve(true)
    })
    lines.on('close', () => resolve(false))
  })
}
