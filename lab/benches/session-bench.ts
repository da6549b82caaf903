import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after } from 'node:test'
import { promisify } from 'node:util'
import { type Connection, clientEnvironment } from '../../src/database/connection/connection.ts'
import { parseDatabaseUrl } from '../../src/database/connection/database-url.ts'
import { Session } from '../../src/database/connection/session.ts'
import { findClients } from '../postgres/clients.ts'
import { type Postgres, startPostgres } from '../postgres/postgres.ts'
import type { Address } from '../postgres/session.ts'
import { tempFolder } from '../temp.ts'

const client = findClients().at(-1)

/** For tests that need the client programs, where there are none. */
export const noClient = client ? false : 'no PostgreSQL client on this machine'

/** The newest client program of that name. */
export function program(name: 'psql' | 'pg_dump' | 'pg_restore'): string {
  return join(client?.bin ?? '', name)
}

/** The job's environment: hostile to everybody who believes in it. */
export const environment = {
  PATH: process.env.PATH,
  HOME: tempFolder('home').path,
  PGHOST: '192.0.2.1',
  PGHOSTADDR: '192.0.2.1',
  PGPORT: '1',
  PGPASSWORD: 'root',
  PGDATABASE: 'elsewhere',
  PGOPTIONS: '-c default_transaction_read_only=on',
  PGCLIENTENCODING: 'LATIN1',
}

/** A server for the tests of one file, and our way to it. */
export type SessionBench = {
  postgres: Postgres
  connection(database: string, address?: Partial<Address>): Connection
  /** A session that ends with the tests. */
  open(database: string, address?: Partial<Address>): Promise<Session>
  /** Runs a client program on a database as we would, and returns what it prints and how it ends. */
  run(name: 'psql' | 'pg_dump' | 'pg_restore', database: string, args: string[]): Promise<Run>
}

export type Run = { code: number; stdout: string; stderr: string }

export async function startSessionBench(
  settings: Record<string, string> = {},
  server?: string,
): Promise<SessionBench> {
  const postgres = await startPostgres({ settings, ...(server ? { package: server } : {}) })
  const open: Session[] = []
  after(async () => {
    await Promise.all(open.map((session) => session.close()))
    await postgres[Symbol.asyncDispose]()
  })
  const connection: SessionBench['connection'] = (database, address) =>
    parseDatabaseUrl(postgres.url(database, address))
  return {
    postgres,
    connection,
    open: async (database, address) => {
      const options = { psql: program('psql'), environment }
      open.push(await Session.open(connection(database, address), options))
      return open.at(-1)!
    },
    run: (name, database, args) =>
      runProgram(program(name), args, clientEnvironment(connection(database), environment)),
  }
}

/** Runs a program to its end, which may be a bad one. */
export async function runProgram(file: string, args: string[], env: Record<string, string>): Promise<Run> {
  type Failure = Run & { code: number | string }
  const running = promisify(execFile)(file, args, { env, encoding: 'utf8' })
  const { stdout, stderr } = await running.catch((error: Failure) => error)
  return { code: running.child.exitCode ?? -1, stdout, stderr }
}
