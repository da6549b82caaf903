import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { PermanentError } from '../../errors.ts'
import { childFailure, type Exit, endChild, startChild, succeeded } from '../../process/child.ts'
import { pour, type Sink } from '../../process/transfer.ts'
import type { PostgresClient } from '../../tools/postgres/provide-client.ts'
import { PSQL_SCRIPT_OPTIONS } from '../connection/psql-options.ts'
import { type RestoreInputs, restoreArguments, untilClosed } from './pg-restore.ts'

const COMMITTED = 'pgclone-committed'

/** psql's exit code when a statement failed under ON_ERROR_STOP; the connection was there (PostgreSQL documentation, psql). */
const STATEMENT_FAILED = 3

/** Milliseconds by which pg_restore may notice a broken pipe before we notice the end of psql. */
const PIPE_BREAKS = 2000

/**
 * A restore into the live database in one transaction, as the sink of a transfer: `pg_restore` makes a script of the
 * archive and `psql` runs it between a BEGIN and a COMMIT of ours. Not `pg_restore --single-transaction`: that commits
 * when it has read enough, before we have compared the dump with its manifest. Here an end without our COMMIT, for
 * whatever reason, rolls back.
 */
export function startInPlace(
  client: PostgresClient,
  serverMajor: number,
  inputs: RestoreInputs,
  env: Record<string, string>,
): Sink {
  const script = [...restoreArguments(inputs), '--file=-', '--clean', '--if-exists']
  const maker = startChild(client.pgRestore, script, { env, stdin: 'stream', stdout: 'stream' })
  const runner = startChild(client.psql, [...PSQL_SCRIPT_OPTIONS, '--file=-'], {
    env,
    stdin: 'stream',
    stdout: 'stream',
  })
  const answer = lastLine(runner.stdout)
  const stop = new AbortController()
  runner.stdin.write('BEGIN;\n')
  const moved = pour(withoutNewSettings(maker.stdout, serverMajor), runner.stdin, stop.signal).catch(
    () => undefined,
  )
  // psql ends by itself only after an error, and that breaks the pipe in front of it: SIGPIPE or a failed write.
  const makerFailure = async (exit: Exit) => {
    const runnerExit = await Promise.race([runner.exited, wait(PIPE_BREAKS, null, { ref: false })])
    return runnerExit ? childFailure(runner, runnerExit) : childFailure(maker, exit)
  }
  const stream = untilClosed(maker.stdin)
  return {
    stream,
    died: Promise.race([
      runner.exited.then((exit) => childFailure(runner, exit)),
      maker.exited.then((exit) =>
        succeeded(exit) ? new Promise<never>(() => undefined) : makerFailure(exit),
      ),
    ]),
    commit: async () => {
      stream.end()
      const made = await maker.exited
      if (!succeeded(made)) throw await makerFailure(made)
      await moved
      runner.stdin.end(`COMMIT;\n\\echo ${COMMITTED}\n`)
      const exit = await runner.exited
      if (succeeded(exit) && (await answer) === COMMITTED) return
      const cause = childFailure(runner, exit)
      if (exit.code === STATEMENT_FAILED) throw cause
      // It may have been committed: a second restore would undo what clients have written since.
      throw new PermanentError(`The commit of the restore was not confirmed: ${cause.message}`, { cause })
    },
    abort: async () => {
      stop.abort()
      await Promise.all([maker, runner].map((child) => endChild(child, ['SIGTERM', 'SIGKILL'], 1500)))
    },
  }
}

/** The preamble of `pg_restore` 17 and later sets a parameter that servers before 17 do not have. */
async function* withoutNewSettings(
  script: AsyncIterable<Buffer>,
  serverMajor: number,
): AsyncGenerator<Buffer> {
  const preamble = 4096
  let head: Buffer | null = serverMajor < 17 ? Buffer.alloc(0) : null
  const cleaned = (text: Buffer) =>
    Buffer.from(text.toString('latin1').replace('SET transaction_timeout = 0;\n', ''), 'latin1')
  for await (const chunk of script) {
    if (head === null) {
      yield chunk
      continue
    }
    head = Buffer.concat([head, chunk])
    if (head.length < preamble) continue
    yield cleaned(head)
    head = null
  }
  if (head !== null) yield cleaned(head)
}

/** psql prints the results of the script's SELECTs; only the end counts. */
async function lastLine(stream: NodeJS.ReadableStream): Promise<string> {
  let tail = ''
  stream.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString('latin1')).slice(-200)
  })
  await once(stream, 'close')
  return tail.trimEnd().split('\n').at(-1) ?? ''
}
