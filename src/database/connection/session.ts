import { randomUUID } from 'node:crypto'
import { addAbortListener } from 'node:events'
import { type Child, childFailure, endChild, startChild } from '../../process/child.ts'
import type { Environment } from '../../process/environment.ts'
import { hideSecrets } from '../../report/secrets.ts'
import { type Connection, clientEnvironment } from './connection.ts'
import { explainConnection } from './connection-errors.ts'
import { linesOf } from './lines-of.ts'
import { patternQuery } from './name-pattern.ts'
import { sharesServerProcesses } from './pooler.ts'
import { PROTECTION } from './protection.ts'
import { PSQL_OPTIONS } from './psql-options.ts'

export { identifier, literal } from './literal.ts'

/** A statement that the server refused. `sqlstate` is from PostgreSQL's appendix A and does not depend on a language. */
export class DatabaseError extends Error {
  readonly sqlstate: string

  constructor(message: string, sqlstate: string) {
    super(message)
    this.sqlstate = sqlstate
  }
}

/** Errors of a pattern that matches nothing: an invalid regular expression, a character that the database cannot store. */
const IMPOSSIBLE_PATTERN = ['2201B', '22P05']

/** The error of a statement on a database that has sessions. */
export const OBJECT_IN_USE = '55006'

export type SessionOptions = {
  psql: string
  environment: Environment
  signal?: AbortSignal
  /** Refuses a pooler in transaction mode, as a session must that holds a lock. */
  direct?: boolean
  /** Whether rows will be read as `pg_dump` would read them (see `handOver`). */
  readsRows?: boolean
}

/** The program of a session, and how many lines it has read. */
export type HandedOver = { child: Child; lines: number }

/** Between statements that psql sends in one message. */
const TOGETHER = '\n\\;\n'

/**
 * A lasting session on one database, run by one `psql` process, so that it can hold an advisory lock and connects only
 * once. Statements go in through stdin; rows come back as one JSON document per line.
 */
export class Session implements AsyncDisposable {
  readonly #child: Child
  readonly #connection: Connection
  readonly #lines: AsyncIterator<string>
  #queue: Promise<unknown> = Promise.resolve()
  #written = 0
  #encoding = 'UTF8'
  #isHandedOver = false

  private constructor(child: Child, connection: Connection) {
    this.#child = child
    this.#connection = connection
    this.#lines = linesOf(child.stdout)
  }

  /** @throws an Error that explains in one sentence why the connection failed */
  static async open(connection: Connection, options: SessionOptions): Promise<Session> {
    const session = Session.#start(connection, options)
    if (options.direct) await session.#refusePooler(options)
    await session.executeTogether(...PROTECTION)
    if (options.readsRows) await session.#noteEncoding()
    await session.#checkService()
    return session
  }

  static #start(connection: Connection, options: SessionOptions): Session {
    options.signal?.throwIfAborted()
    const args = [...PSQL_OPTIONS, '--no-align', '--tuples-only', '--file=-']
    const utf8 = options.readsRows ? {} : { PGCLIENTENCODING: 'UTF8' }
    const env = { ...clientEnvironment(connection, options.environment), ...utf8 }
    // Every failure reaches the caller as an exception, so psql's own output would only repeat it.
    const child = startChild(options.psql, args, {
      env,
      stdin: 'stream',
      stdout: 'stream',
      onErrorLine: () => false,
    })
    const session = new Session(child, connection)
    const listener = options.signal && addAbortListener(options.signal, () => void session.close())
    void child.exited.then(() => listener?.[Symbol.dispose]())
    return session
  }

  /** Must run before the first setting, which would leak into sessions of others. */
  async #refusePooler(options: SessionOptions): Promise<void> {
    if (!(await sharesServerProcesses(this, () => Session.#start(this.#connection, options)))) return
    await this.close()
    throw new Error(
      `${this.#connection.label} is a connection pooler in transaction mode (PgBouncer or similar: one session is served by changing server processes); use the direct host and port of the server, or a pool in session mode`,
    )
  }

  /** The encoding of the first moment is that of a dump. */
  async #noteEncoding(): Promise<void> {
    const [row] = await this.query<{ encoding: string }>('SELECT pg_client_encoding() AS encoding')
    this.#encoding = row!.encoding
    await this.execute("SET client_encoding = 'UTF8'")
  }

  /**
   * Gives up the program of the session, in its transaction and with its temporary tables, so that large results can be read
   * from it. From now on its statements are in the encoding of the dump, and closing the session does nothing.
   */
  async handOver(): Promise<HandedOver> {
    await this.execute(`SET client_encoding = '${this.#encoding}'`)
    await this.#lines.return?.()
    this.#isHandedOver = true
    return { child: this.#child, lines: this.#written }
  }

  /** A service that names a database overrides `PGDATABASE`, so the session would be on that database. */
  async #checkService(): Promise<void> {
    const { variables, database, label } = this.#connection
    if (!variables.PGSERVICE) return
    const [row] = await this.query<{ name: string }>('SELECT current_database() AS name')
    if (row!.name === database) return
    await this.close()
    throw new Error(
      `Cannot connect to ${label}: the service "${variables.PGSERVICE}" leads to "${row!.name}" and not to "${database}"; remove dbname from it`,
    )
  }

  /**
   * Refuses a service that names a database, before other databases of the server are created and written: every program
   * would connect to the database of the service instead.
   */
  static async refuseService(connection: Connection, options: SessionOptions): Promise<void> {
    const { PGSERVICE } = connection.variables
    if (!PGSERVICE) return
    const absent = { ...connection, database: `pgclone_${randomUUID()}` }
    await using session = Session.#start(absent, options)
    const found = await session
      .query<{ name: string }>('SELECT pg_catalog.current_database() AS name')
      .catch(() => [])
    if (found.length === 0) return
    throw new Error(
      `Cannot connect to ${connection.label}: the service "${PGSERVICE}" always leads to "${found[0]!.name}"; remove dbname from it`,
    )
  }

  /**
   * Runs one SELECT and returns its rows as objects.
   *
   * @param before statements without a result that run before it in the same message, and so in one transaction
   */
  async query<Row>(select: string, before: readonly string[] = []): Promise<Row[]> {
    const lines = await this.#send([...before, asJson(select)].join(TOGETHER))
    return lines.map((line) => JSON.parse(line) as Row)
  }

  /**
   * Lists the OIDs of the relations or schemas that a pattern of `pg_dump` matches. As in `pg_dump`, the search_path of the
   * user decides what a pattern without a schema matches.
   */
  async list(what: 'relations' | 'schemas', pattern: string): Promise<string[]> {
    try {
      const found = await this.query<{ oid: string }>(patternQuery(what, pattern), [
        'SET LOCAL search_path TO DEFAULT',
      ])
      return found.map(({ oid }) => oid)
    } catch (error) {
      if (error instanceof DatabaseError && IMPOSSIBLE_PATTERN.includes(error.sqlstate)) return []
      throw error
    }
  }

  /** Runs statements without a result one by one, until one fails. */
  async execute(...statements: string[]): Promise<void> {
    for (const statement of statements) await this.#send(`${statement}\n;`)
  }

  /**
   * Runs statements without a result in one message, and so in one transaction. A distant server answers each message after
   * a round trip.
   */
  async executeTogether(...statements: string[]): Promise<void> {
    await this.execute(statements.join(TOGETHER))
  }

  /** Runs statements in one transaction: all of them or none. */
  async transaction(...statements: string[]): Promise<void> {
    await this.execute('BEGIN')
    try {
      await this.execute(...statements, 'COMMIT')
    } catch (error) {
      await this.execute('ROLLBACK')
      throw error
    }
  }

  /** Runs statements and rolls them back. Returns why the server refuses them, or null. */
  async tryOut(...statements: readonly string[]): Promise<string | null> {
    await this.execute('BEGIN')
    try {
      await this.execute(...statements)
      return null
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error
      return error.message
    } finally {
      await this.execute('ROLLBACK')
    }
  }

  /** Sends one message and collects its rows, after all earlier messages. */
  #send(sql: string): Promise<string[]> {
    const answer = this.#queue.then(() => this.#exchange(sql))
    this.#queue = answer.catch(() => undefined)
    return answer
  }

  async #exchange(sql: string): Promise<string[]> {
    const mark = `pgclone-${randomUUID()}`
    const text = `${sql}\n\\echo ${mark} :SQLSTATE :LAST_ERROR_MESSAGE\n\\echo ${mark} :ERROR\n`
    this.#written += text.split('\n').length - 1
    this.#child.stdin.write(text)
    const rows = await this.#readUntil(mark)
    const [last = ''] = rows.splice(-1)
    const status = [last, ...(await this.#readUntil(mark))]
    if (status.at(-1) === 'false') return rows
    const [, sqlstate = '', message = ''] = /^(\S+) (.*)$/s.exec(status.slice(0, -1).join(' ')) ?? []
    throw new DatabaseError(hideSecrets(message), sqlstate)
  }

  /** Returns the lines before the next line that begins with the mark, and then the rest of that line. */
  async #readUntil(mark: string): Promise<string[]> {
    const lines: string[] = []
    for (;;) {
      const next = await this.#lines.next()
      if (next.done) throw await this.#lost()
      if (next.value.startsWith(mark)) return [...lines, next.value.slice(mark.length + 1)]
      lines.push(next.value)
    }
  }

  async #lost(): Promise<Error> {
    const exit = await this.#child.exited
    const reason = explainConnection(this.#child.tail.join('\n'), this.#connection.label)
    const cause = childFailure(this.#child, exit)
    return reason ? new Error(reason, { cause }) : cause
  }

  async close(): Promise<void> {
    if (this.#isHandedOver) return
    this.#child.stdin.end('\\q\n')
    await endChild(this.#child, ['SIGTERM', 'SIGKILL'], 500)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** Wraps a query so that its rows are JSON. Names are qualified, because the first query comes before the settings. */
function asJson(select: string): string {
  return `SELECT pg_catalog.row_to_json(q)::pg_catalog.text FROM (${select}\n) AS q;`
}
