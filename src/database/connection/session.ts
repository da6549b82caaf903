import { randomUUID } from 'node:crypto'
import { addAbortListener } from 'node:events'
import { type Child, childFailure, endChild, startChild } from '../../process/child.ts'
import type { Environment } from '../../process/environment.ts'
import { hideSecrets } from '../../report/secrets.ts'
import { type Connection, clientEnvironment } from './connection.ts'
import { explainConnection } from './connection-errors.ts'
import { patternQuery } from './name-pattern.ts'
import { sharesServerProcesses } from './pooler.ts'

export { identifier, literal } from './literal.ts'

/** A statement that the server refused. `sqlstate` is from PostgreSQL's appendix A and does not depend on a language. */
export class DatabaseError extends Error {
  readonly sqlstate: string

  constructor(message: string, sqlstate: string) {
    super(message)
    this.sqlstate = sqlstate
  }
}

/** A pattern that `pg_dump` would refuse as well matches nothing. */
const INVALID_REGULAR_EXPRESSION = '2201B'

/** A database has sessions that would have to end first. */
export const OBJECT_IN_USE = '55006'

export type SessionOptions = {
  psql: string
  environment: Environment
  signal?: AbortSignal
  /** Refuses a pooler in transaction mode between us and the server. */
  direct?: boolean
}

/**
 * The whole search_path of our sessions: a user of the database may create functions and operators of any name in other
 * schemas, and they would run with our rights (CVE-2018-1058). In `pg_temp` only relations and types are looked up.
 */
const SEARCH_PATH = 'SET search_path = pg_catalog, pg_temp'

/**
 * The first statements of a session, whatever the role, the database and the server set: no name of ours means something
 * else, no text has another form, and no time limit ends a session that waits while it holds a lock. The query leaves out
 * the limits that the server does not know yet.
 */
const PROTECTION = [
  SEARCH_PATH,
  'SET standard_conforming_strings = on',
  'SET client_min_messages = error',
  'SET default_transaction_read_only = off',
  // Rows that a policy hides would be counted as missing; an error says so instead.
  'SET row_security = off',
  `SET TimeZone = 'UTC'`,
  `SET DateStyle = 'ISO, YMD'`,
  `SET IntervalStyle = 'postgres'`,
  'SET extra_float_digits = 3',
  // A router forgets a connection on which nothing moves for minutes.
  'SET tcp_keepalives_idle = 60',
  'SET tcp_keepalives_interval = 10',
  `DO 'BEGIN PERFORM set_config(name, ''0'', false) FROM pg_settings WHERE name IN (
     ''statement_timeout'', ''lock_timeout'', ''idle_in_transaction_session_timeout'', ''idle_session_timeout'', ''transaction_timeout''); END'`,
]

/**
 * One `psql` process on one database: a session of ours that lasts, so that it can hold an advisory lock and does not
 * connect anew for every statement. Statements go in by stdin, rows come back as one JSON document a line.
 */
export class Session implements AsyncDisposable {
  readonly #child: Child
  readonly #connection: Connection
  readonly #lines: AsyncIterator<string>
  #queue: Promise<unknown> = Promise.resolve()

  private constructor(child: Child, connection: Connection) {
    this.#child = child
    this.#connection = connection
    this.#lines = linesOf(child.stdout)
  }

  /** @throws an Error that explains in one sentence why the server let us not in. */
  static async open(connection: Connection, options: SessionOptions): Promise<Session> {
    const session = Session.#start(connection, options)
    if (options.direct) await session.#refusePooler(options)
    await session.execute(...PROTECTION)
    await session.#checkService()
    return session
  }

  static #start(connection: Connection, options: SessionOptions): Session {
    options.signal?.throwIfAborted()
    const args = ['--no-psqlrc', '--no-align', '--tuples-only', '--quiet', '--no-password', '--file=-']
    const env = { ...clientEnvironment(connection, options.environment), PGCLIENTENCODING: 'UTF8' }
    // Every failure reaches the caller as an exception; what psql prints beside it would only say it twice.
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

  /** Before anything is set, because what we set there would be set for others. */
  async #refusePooler(options: SessionOptions): Promise<void> {
    if (!(await sharesServerProcesses(this, () => Session.#start(this.#connection, options)))) return
    await this.close()
    throw new Error(
      `${this.#connection.label} is a connection pooler in transaction mode (PgBouncer or its kin: one session of ours is served by changing server processes); use the direct host and port of the server, or a pool in session mode`,
    )
  }

  /** libpq believes a service more than `PGDATABASE`: one that names a database would take us there, and nowhere else. */
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
   * that is sent to one of them would end up in that of the service.
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
      `Cannot connect to ${connection.label}: the service "${PGSERVICE}" leads to "${found[0]!.name}", whatever database is asked for; remove dbname from it`,
    )
  }

  /** Runs one SELECT and returns its rows as objects. */
  async query<Row>(select: string): Promise<Row[]> {
    const lines = await this.#send(asJson(select))
    return lines.map((line) => JSON.parse(line) as Row)
  }

  /**
   * Schema and name of each relation, or the name of each schema, that a pattern of `pg_dump` matches. As in `pg_dump`, the
   * search_path of the user decides what a pattern without a schema matches.
   */
  list(what: 'relations' | 'schemas', pattern: string): Promise<string[][]> {
    return this.#alone(async () => {
      await this.#exchange('RESET search_path;')
      try {
        const lines = await this.#exchange(asJson(patternQuery(what, pattern)))
        return lines.map((line) => Object.values(JSON.parse(line) as Record<string, string>))
      } catch (error) {
        if (error instanceof DatabaseError && error.sqlstate === INVALID_REGULAR_EXPRESSION) return []
        throw error
      } finally {
        await this.#exchange(`${SEARCH_PATH};`)
      }
    })
  }

  /** Runs statements without a result, each by itself, up to the first that fails. */
  async execute(...statements: string[]): Promise<void> {
    for (const statement of statements) await this.#send(`${statement}\n;`)
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

  /** Sends one statement and collects its rows, one statement after the other. */
  #send(sql: string): Promise<string[]> {
    return this.#alone(() => this.#exchange(sql))
  }

  /** Runs work when everything before it has ended, and lets nothing in between. */
  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const answer = this.#queue.then(work)
    this.#queue = answer.catch(() => undefined)
    return answer
  }

  async #exchange(sql: string): Promise<string[]> {
    const mark = `pgclone-${randomUUID()}`
    this.#child.stdin.write(`${sql}\n\\echo ${mark} :SQLSTATE :LAST_ERROR_MESSAGE\n\\echo ${mark} :ERROR\n`)
    const rows = await this.#readUntil(mark)
    const [last = ''] = rows.splice(-1)
    const status = [last, ...(await this.#readUntil(mark))]
    if (status.at(-1) === 'false') return rows
    const [, sqlstate = '', message = ''] = /^(\S+) (.*)$/s.exec(status.slice(0, -1).join(' ')) ?? []
    throw new DatabaseError(hideSecrets(message), sqlstate)
  }

  /** The lines before the next one that begins with the mark, and what follows the mark in it. */
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
    this.#child.stdin.end('\\q\n')
    await endChild(this.#child, ['SIGTERM', 'SIGKILL'], 500)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** Qualified, because the first query of a session comes before its settings. */
function asJson(select: string): string {
  return `SELECT pg_catalog.row_to_json(q)::pg_catalog.text FROM (${select}\n) AS q;`
}

/** Lines without their ends, which on Windows are two characters. */
async function* linesOf(stream: AsyncIterable<Buffer | string>): AsyncGenerator<string, void> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of stream) {
    const pieces = (
      rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))
    ).split('\n')
    rest = pieces.pop()!
    for (const piece of pieces) yield piece.replace(/\r$/, '')
  }
}
