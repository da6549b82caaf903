import { type Environment, pick, toolEnvironment } from '../../process/environment.ts'
import type { Address } from './tunnel.ts'
import type { Parameters } from './url-text.ts'

/**
 * Server, user and database, as libpq's environment variables. A database name is never an argument: libpq expands
 * `dbname=…` arguments as connection strings, and does not expand `PGDATABASE`.
 */
export type Connection = {
  /** libpq's variables except the database name. */
  readonly variables: Readonly<Record<string, string>>
  readonly database: string
  /** `host:port/database` for messages, without a secret. */
  readonly label: string
  /** A password that changes during the step; it replaces that of `variables`. */
  readonly password?: () => string
  /** Parameters of the URL that only tune a framework and that libpq would refuse. */
  readonly leftOut?: readonly string[]
}

/** Connection parameters and their variables: PostgreSQL documentation, "libpq: Environment Variables". */
export const VARIABLES: Readonly<Record<string, string>> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  dbname: 'PGDATABASE',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  passfile: 'PGPASSFILE',
  require_auth: 'PGREQUIREAUTH',
  channel_binding: 'PGCHANNELBINDING',
  service: 'PGSERVICE',
  options: 'PGOPTIONS',
  application_name: 'PGAPPNAME',
  sslmode: 'PGSSLMODE',
  sslnegotiation: 'PGSSLNEGOTIATION',
  sslcompression: 'PGSSLCOMPRESSION',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslcertmode: 'PGSSLCERTMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcrl: 'PGSSLCRL',
  sslcrldir: 'PGSSLCRLDIR',
  sslsni: 'PGSSLSNI',
  requirepeer: 'PGREQUIREPEER',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION',
  min_protocol_version: 'PGMINPROTOCOLVERSION',
  max_protocol_version: 'PGMAXPROTOCOLVERSION',
  gssencmode: 'PGGSSENCMODE',
  krbsrvname: 'PGKRBSRVNAME',
  gsslib: 'PGGSSLIB',
  gssdelegation: 'PGGSSDELEGATION',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  client_encoding: 'PGCLIENTENCODING',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  load_balance_hosts: 'PGLOADBALANCEHOSTS',
}

const CONNECT_TIMEOUT_SECONDS = '30'
const DEFAULT_PORT = '5432'

/** Returns the connection that libpq's parameters describe. @throws an Error that completes the sentence "<input> …" */
export function connectionOf(parameters: Parameters, leftOut: readonly string[]): Connection {
  const { dbname, ...others } = parameters
  if (!dbname) throw new Error('has no database name; add it after the host, as in postgres://host/database')
  if (Buffer.byteLength(dbname) > 63) throw new Error('has a database name longer than 63 bytes')
  const variables = Object.fromEntries(
    Object.entries(others).map(([name, value]) => [VARIABLES[name]!, value]),
  )
  const connection = { variables, database: dbname, label: labelOf(variables, dbname) }
  return leftOut.length > 0 ? { ...connection, leftOut } : connection
}

function labelOf(variables: Readonly<Record<string, string>>, database: string): string {
  return `${addressOf(variables)}/${database}`
}

/**
 * Returns the server of a connection by name. Dumps of two servers are told apart by it. The port is left out, because it
 * is another one in each run where a tunnel or a service container chooses it.
 */
export function serverName({ variables }: Connection): string {
  return variables.PGSERVICE ? `service ${variables.PGSERVICE}` : hostsOf(variables)
}

function hostsOf({ PGHOST, PGHOSTADDR }: Readonly<Record<string, string>>): string {
  return PGHOST ?? PGHOSTADDR ?? 'local socket'
}

function addressOf(variables: Readonly<Record<string, string>>): string {
  if (variables.PGSERVICE) return `service ${variables.PGSERVICE}`
  const hosts = hostsOf(variables).split(',')
  const ports = (variables.PGPORT ?? '').split(',')
  const pairs = hosts.map((host, index) => {
    const port = ports[index] ?? ports[0]
    return port ? `${host.includes(':') ? `[${host}]` : host}:${port}` : host
  })
  return pairs.join(',')
}

/** Returns the addresses that libpq would try; none when only a service or libpq's defaults define them. */
export function addressesOf({ variables }: Connection): Address[] {
  const hosts = variables.PGHOSTADDR || variables.PGHOST
  const ports = (variables.PGPORT || DEFAULT_PORT).split(',')
  return (hosts?.split(',') ?? []).map((host, index) => {
    const port = Number(ports[index] ?? ports[0])
    return host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
  })
}

/** Names of this machine: its own, loopback addresses, and the host of a container. */
const THIS_MACHINE = /^(?:localhost|127\.[\d.]+|::1|host\.docker\.internal)$/i

/**
 * Whether a connection leads to another machine, as far as its address says. A name without a dot is that of a service
 * container, which runs on the same machine; where a service of libpq leads is not known.
 */
export function isDistant(connection: Connection): boolean {
  return addressesOf(connection).some(
    (address) => 'host' in address && /[.:]/.test(address.host) && !THIS_MACHINE.test(address.host),
  )
}

/** Returns the connection of the job's own libpq variables, for when no URL is given. */
export function ambientConnection(environment: Environment): Connection | null {
  const all = pick(environment, (name) => /^PG[A-Z]+/.test(name) && name !== 'PGDATA')
  const { PGDATABASE, ...variables } = all
  const database = PGDATABASE || variables.PGUSER
  if (!database || (!PGDATABASE && isImagePreset(variables))) return null
  return { variables, database, label: labelOf(variables, database) }
}

/**
 * Whether only GitHub's Windows image defines the connection: it sets user and password of its own server for the whole
 * machine (actions/runner-images, Install-PostgreSQL.ps1).
 */
function isImagePreset(variables: Parameters): boolean {
  const { PGROOT, PGUSER, PGPASSWORD, PGHOST, PGHOSTADDR, PGSERVICE } = variables
  const preset = PGROOT !== undefined && PGUSER === 'postgres' && PGPASSWORD === 'root'
  return preset && !PGHOST && !PGHOSTADDR && !PGSERVICE
}

/** Returns the connection to another database of the same server, as the same role. */
export function onDatabase(connection: Connection, database: string): Connection {
  return { ...connection, database, label: labelOf(connection.variables, database) }
}

/** Returns the whole environment of a PostgreSQL client program, without the job's own `PG*` variables. */
export function clientEnvironment(connection: Connection, environment: Environment): Record<string, string> {
  return {
    ...toolEnvironment(environment),
    PGCONNECT_TIMEOUT: CONNECT_TIMEOUT_SECONDS,
    PGAPPNAME: 'pgclone-action',
    ...connection.variables,
    ...(connection.password && { PGPASSWORD: connection.password() }),
    PGDATABASE: connection.database,
  }
}

/** Returns the connection as a URI, for hooks. */
export function toUrl(connection: Connection): string {
  const { PGUSER, PGHOST = '', PGPORT = '', ...others } = connection.variables
  const secret = connection.password?.() ?? others.PGPASSWORD
  const password = secret === undefined ? '' : `:${encodeURIComponent(secret)}`
  const user = `${encodeURIComponent(PGUSER ?? '')}${password}`
  const userinfo = user && `${user}@`
  const ports = PGPORT.split(',')
  const hosts = PGHOST.split(',').map((host, index) => {
    const port = ports[index] ?? ports[0]
    const encoded = encodeURIComponent(host)
    const written = host.includes(':') ? `[${encoded.replaceAll('%3A', ':')}]` : encoded
    return port ? `${written}:${port}` : written
  })
  const query = Object.entries(VARIABLES)
    .filter(([, variable]) => variable !== 'PGPASSWORD' && others[variable] !== undefined)
    .map(([name, variable]) => `${name}=${encodeURIComponent(others[variable]!)}`)
  return `postgresql://${userinfo}${hosts.join(',')}/${encodeURIComponent(connection.database)}${query.length ? `?${query.join('&')}` : ''}`
}

/** Returns the first host, or `localhost`. Dumps are named by it when there is no repository. */
export function hostName(connection: Connection): string {
  const host = (connection.variables.PGHOST ?? '').split(',')[0]!
  return host === '' || host.startsWith('/') ? 'localhost' : host
}
