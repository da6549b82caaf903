import { randomUUID } from 'node:crypto'
import { PassThrough, pipeline, Readable } from 'node:stream'
import { literal } from '../database/connection/literal.ts'
import { PSQL_SCRIPT_OPTIONS } from '../database/connection/psql-options.ts'
import type { HandedOver } from '../database/connection/session.ts'
import { finishDump } from '../database/pg-dump.ts'
import { largeWrites } from '../database/stdio-buffer.ts'
import { type Child, endChild, startChild } from '../process/child.ts'
import type { Relation } from '../relation.ts'
import { finishMaskedRead, type Message } from './masked-errors.ts'

export type ReaderOptions = {
  psql: string
  env: Record<string, string>
  serverMajor: number
  /** Its session stays open, with ACCESS SHARE locks on the tables, until the readers are ready. */
  snapshot: string
  connections: number
  /** Ends sessions that are not ready yet. */
  signal: AbortSignal
  /** A session that is in the snapshot already and is alone in reading the tables, instead of new ones. */
  session?: HandedOver
  /** Whether values may show nowhere, so that errors of queries are reported without their message. */
  hidesValues?: boolean
}

/** A query, and the table that it reads. */
export type Query = { sql: string; table: Relation }

/** The encoding of the session, and the texts of all tables in it. */
export type Facts = { encoding: string; texts: Buffer[] }

/** Bytes that each session may be ahead of its turn. */
const READ_AHEAD_BYTES = 4 * 1024 * 1024

/** Queries that are sent together, so that the server does not wait for the next one. */
const QUERIES_IN_MESSAGE = 16

/** One `psql` that prints the rows of its queries, each followed by a line that no row can contain. */
export class ReadingSession {
  readonly child: Child
  readonly #mark = Buffer.from(`pgclone-${randomUUID()}\n`)
  readonly #ahead = new PassThrough({ highWaterMark: READ_AHEAD_BYTES })
  readonly #output: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)
  readonly #messages: Message[] = []
  readonly #hidesValues: boolean
  readonly #linesBefore: number

  constructor(start: readonly string[], queries: Iterable<Query>, options: ReaderOptions) {
    const { hidesValues = false, session } = options
    this.#hidesValues = hidesValues
    this.#linesBefore = session?.lines ?? 0
    this.child = session?.child ?? startReading(options)
    pipeline(this.child.stdout, this.#ahead, () => undefined)
    this.#ahead.on('error', () => undefined) // reported where the rows are read
    this.#output = this.#ahead[Symbol.asyncIterator]()
    // How psql ends says why it does not read its input.
    pipeline(Readable.from(this.#script(start, queries)), this.child.stdin, () => undefined)
  }

  /** Waits for the end of the session's program. @throws an Error that explains why it failed */
  async succeeded(): Promise<void> {
    await (this.#hidesValues ? finishMaskedRead(this.child, this.#messages) : finishDump(this.child))
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
    await this.succeeded()
  }

  /** Ends the reading of rows with this reason. */
  fail(reason: Error): void {
    this.#ahead.destroy(reason)
  }

  async end(): Promise<void> {
    await endChild(this.child, ['SIGTERM', 'SIGKILL'], 1500)
  }

  async #failure(): Promise<Error> {
    await this.succeeded()
    return new Error('psql ended before it had returned all rows')
  }

  *#script(start: readonly string[], queries: Iterable<Query>): Generator<string> {
    const mark = this.#mark.toString().trim()
    let line = 1 + this.#linesBefore
    const written = (text: string) => {
      line += text.split('\n').length - 1
      return text
    }
    for (const statement of start) yield written(`${statement}\n`)
    yield written(`\\echo ${mark}\n`)
    for (const message of inMessages(queries)) {
      const statements = message.flatMap(({ sql }) => [
        `COPY (${sql}) TO STDOUT`,
        `COPY (SELECT ${literal(mark)}) TO STDOUT`,
      ])
      const text = written(`${statements.join('\\;\n')};\n`)
      this.#messages.push({ endsBefore: line, tables: message.map(({ table }) => table) })
      yield text
    }
  }
}

function startReading({ psql, env }: ReaderOptions): Child {
  const args = [...PSQL_SCRIPT_OPTIONS, '--no-align', '--tuples-only', '--file=-']
  return startChild(psql, args, { env: { ...env, ...largeWrites(env) }, stdin: 'stream', stdout: 'stream' })
}

function* inMessages(queries: Iterable<Query>): Generator<Query[]> {
  let message: Query[] = []
  for (const query of queries) {
    message.push(query)
    if (message.length < QUERIES_IN_MESSAGE) continue
    yield message
    message = []
  }
  if (message.length > 0) yield message
}
