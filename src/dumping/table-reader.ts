import { randomUUID } from 'node:crypto'
import { addAbortListener } from 'node:events'
import { PassThrough, pipeline, Readable } from 'node:stream'
import { tableArchive } from '../archive/archive.ts'
import { asciiIdentifier, asciiLiteral, identifier, literal } from '../database/connection/literal.ts'
import { PSQL_SCRIPT_OPTIONS } from '../database/connection/psql-options.ts'
import { finishDump } from '../database/pg-dump.ts'
import { largeWrites } from '../database/stdio-buffer.ts'
import { type Child, endChild, startChild } from '../process/child.ts'

/** A table whose rows are read by queries, and not by `pg_dump`. */
export type TableRead = {
  table: { oid: string; schema: string; name: string }
  /** The columns that the rows have. Generated columns are not among them. */
  columns: readonly string[]
  /** Into how many queries the reading is divided. Their rows, one after the other, are the data. */
  shares: number
  /** Returns the query of a share, from 0. It is written in ASCII (see `asciiIdentifier`), because it is sent in the encoding of the dump. */
  select: (share: number) => string
}

export type ReaderOptions = {
  psql: string
  env: Record<string, string>
  serverMajor: number
  /** Its session stays open, with ACCESS SHARE locks on the tables, until the readers are ready. */
  snapshot: string
  connections: number
  /** Ends sessions that are not ready yet. */
  signal: AbortSignal
}

/** Sessions that read tables; `archive` is a part for JoinedArchive. A session that fails or ends early fails it. */
export type TableReaders = { archive: AsyncGenerator<Buffer>; abort: () => Promise<void> }

/** Bytes that each session may be ahead of its turn. */
const READ_AHEAD_BYTES = 4 * 1024 * 1024

/** Queries that are sent together, so that the server does not wait for the next one. */
const QUERIES_IN_MESSAGE = 16

/**
 * Starts sessions that read tables in one snapshot, and waits until they have locked them. The queries are dealt to the
 * sessions in turn and their rows are put in order again, so that the data is what one session would read.
 *
 * @throws an Error if a session cannot start, or a table cannot be locked at once
 */
export async function startTableReaders(
  reads: readonly TableRead[],
  options: ReaderOptions,
): Promise<TableReaders> {
  const sessions = Array.from(
    { length: options.connections },
    (_, index) =>
      new ReadingSession(setUp(reads, options), queriesOf(reads, index, options.connections), options),
  )
  const abort = async () => void (await Promise.all(sessions.map((session) => session.end())))
  using _ = addAbortListener(options.signal, () => void abort())
  for (const session of sessions) {
    // The others may be waiting for a server that has gone silent.
    void finishDump(session.child).catch((reason: Error) => {
      for (const each of sessions) each.fail(reason)
    })
  }
  try {
    const [facts] = await Promise.all(sessions.map((session) => session.ready()))
    return { archive: readTables(reads, sessions, facts!), abort }
  } catch (error) {
    await abort()
    throw error
  }
}

async function* readTables(
  reads: readonly TableRead[],
  sessions: readonly ReadingSession[],
  { encoding, texts }: Facts,
): AsyncGenerator<Buffer> {
  let turn = 0
  const rowsOf = async function* ({ shares }: TableRead): AsyncGenerator<Buffer> {
    for (let share = 0; share < shares; share++) yield* sessions[turn++ % sessions.length]!.rows()
  }
  const tables = reads.map((read, index) => {
    const [schema, name, copyStatement] = texts.slice(index * TEXTS_OF_TABLE) as [Buffer, Buffer, Buffer]
    return { oid: read.table.oid, schema, name, copyStatement, rows: rowsOf(read) }
  })
  yield* tableArchive(encoding, tables)
  for (const session of sessions) await session.finish()
}

/** Returns the queries of one of the sessions, which take turns. */
function* queriesOf(reads: readonly TableRead[], index: number, connections: number): Generator<string> {
  let turn = 0
  for (const { shares, select } of reads) {
    for (let share = 0; share < shares; share++) if (turn++ % connections === index) yield select(share)
  }
}

/** The settings of `setup_connection` in pg_dump.c, on which the text of values depends, and those that keep other code out. */
function settings(serverMajor: number): string[] {
  return [
    'search_path = pg_catalog, pg_temp',
    'standard_conforming_strings = on',
    'row_security = off',
    'DateStyle = ISO',
    'IntervalStyle = postgres',
    'extra_float_digits = 3',
    'synchronize_seqscans = off',
    'statement_timeout = 0',
    'lock_timeout = 0',
    'idle_in_transaction_session_timeout = 0',
    ...(serverMajor >= 17 ? ['transaction_timeout = 0'] : []),
    // A query of pages must not become a scan of the whole table, nor several processes.
    'enable_tidscan = on',
    'max_parallel_workers_per_gather = 0',
    'jit = off',
  ]
}

/** Statements that join the snapshot, and queries for what the archive says about the data. */
function setUp(reads: readonly TableRead[], { serverMajor, snapshot }: ReaderOptions): string[] {
  const tables = reads.map(
    ({ table }) => `ONLY ${asciiIdentifier(table.schema)}.${asciiIdentifier(table.name)}`,
  )
  const texts = reads.flatMap((read) => [read.table.schema, read.table.name, copyStatement(read)])
  return [
    // Errors must not print rows.
    '\\set VERBOSITY terse',
    '\\set SHOW_CONTEXT never',
    `${settings(serverMajor)
      .map((setting) => `SET ${setting}`)
      .join('\\; ')};`,
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;',
    `SET TRANSACTION SNAPSHOT ${literal(snapshot)};`,
    `LOCK TABLE ${tables.join(', ')} IN ACCESS SHARE MODE NOWAIT;`,
    `SELECT encode(convert_to(text, pg_client_encoding()), 'hex')
       FROM unnest(ARRAY[${texts.map(asciiLiteral).join(', ')}]::text[]) WITH ORDINALITY AS t (text, n) ORDER BY n;`,
    '\\echo :ENCODING',
  ]
}

function copyStatement({ table, columns }: TableRead): string {
  const list = columns.map(identifier).join(', ')
  return `COPY ${identifier(table.schema)}.${identifier(table.name)} (${list}) FROM stdin;\n`
}

/** Schema, name and COPY statement. */
const TEXTS_OF_TABLE = 3

/** The encoding of the session, and the texts of all tables in it. */
type Facts = { encoding: string; texts: Buffer[] }

/** One `psql` that prints the rows of its queries, each followed by a line that no row can contain. */
class ReadingSession {
  readonly child: Child
  readonly #mark = Buffer.from(`pgclone-${randomUUID()}\n`)
  readonly #ahead = new PassThrough({ highWaterMark: READ_AHEAD_BYTES })
  readonly #output: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(start: readonly string[], queries: Iterable<string>, { psql, env }: ReaderOptions) {
    const args = [...PSQL_SCRIPT_OPTIONS, '--no-align', '--tuples-only', '--file=-']
    this.child = startChild(psql, args, {
      env: { ...env, ...largeWrites(env) },
      stdin: 'stream',
      stdout: 'stream',
    })
    pipeline(this.child.stdout, this.#ahead, () => undefined)
    this.#ahead.on('error', () => undefined) // reported where the rows are read
    this.#output = this.#ahead[Symbol.asyncIterator]()
    // How psql ends says why it does not read its input.
    pipeline(Readable.from(this.#script(start, queries)), this.child.stdin, () => undefined)
  }

  /** Waits until the session has joined the snapshot and locked the tables. */
  async ready(): Promise<Facts> {
    const parts: Buffer[] = []
    for await (const part of this.rows()) parts.push(part)
    const lines = Buffer.concat(parts).toString('latin1').trim().split(/\r?\n/)
    const encoding = lines.pop()!
    return { encoding, texts: lines.map((line) => Buffer.from(line, 'hex')) }
  }

  /** Returns the rows of the next query. */
  async *rows(): AsyncGenerator<Buffer> {
    const mark = this.#mark
    for (;;) {
      const rest = this.#rest
      const at = rest.indexOf(mark)
      this.#rest =
        at < 0 ? rest.subarray(Math.max(0, rest.length - mark.length + 1)) : rest.subarray(at + mark.length)
      yield rest.subarray(0, at < 0 ? rest.length - this.#rest.length : at)
      if (at >= 0) return
      const { done, value } = await this.#output.next()
      if (done) throw await this.#failure()
      this.#rest = Buffer.concat([this.#rest, value])
    }
  }

  /** Waits for the end of the session. @throws an Error if it did not end well */
  async finish(): Promise<void> {
    const { done } = await this.#output.next()
    if (!done || this.#rest.length > 0) throw new Error('psql returned more rows than were asked for')
    await finishDump(this.child)
  }

  /** Ends the reading of rows with this reason. */
  fail(reason: Error): void {
    this.#ahead.destroy(reason)
  }

  async end(): Promise<void> {
    await endChild(this.child, ['SIGTERM', 'SIGKILL'], 1500)
  }

  async #failure(): Promise<Error> {
    await finishDump(this.child)
    return new Error('psql ended before it had returned all rows')
  }

  *#script(start: readonly string[], queries: Iterable<string>): Generator<string> {
    const mark = this.#mark.toString().trim()
    for (const line of start) yield `${line}\n`
    yield `\\echo ${mark}\n`
    let message: string[] = []
    for (const query of queries) {
      message.push(`COPY (${query}) TO STDOUT`, `COPY (SELECT ${literal(mark)}) TO STDOUT`)
      if (message.length < 2 * QUERIES_IN_MESSAGE) continue
      yield `${message.join('\\;\n')};\n`
      message = []
    }
    if (message.length > 0) yield `${message.join('\\;\n')};\n`
  }
}
