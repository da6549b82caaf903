import { type Environment, pick, toolEnvironment } from '../../process/environment.ts'
import type { Address } from './tunnel.ts'

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
}

/** Connection parameters and their variables: PostgreSQL documentation, "libpq: Environment Variables". */
const VARIABLES: Readonly<Record<string, string>> = {
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

/** Parameters without a variable that only tune the connection; leaving them out does not change the server. */
const HARMLESS_WITHOUT_VARIABLE = [
  'keepalives',
  'keepalives_idle',
  'keepalives_interval',
  'keepalives_count',
  'tcp_user_timeout',
  'fallback_application_name',
]

const CONNECT_TIMEOUT_SECONDS = '30'
const DEFAULT_PORT = '5432'

type Parameters = Record<string, string>

/**
 * Reads a connection URI as libpq does (`conninfo_uri_parse_options` in fe-connect.c): percent-encoding in every
 * part, IPv6 in brackets, several hosts, Unix sockets as an encoded host or a `host` parameter.
 *
 * @throws an Error without any part of the URI that could hold a secret.
 */
export function parseDatabaseUrl(url: string): Connection {
  const parts = /^postgres(?:ql)?:\/\/(?:([^@/]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(url.trim())
  if (!parts) throw new Error(notAUrl(url))
  const [, userinfo = '', hosts = '', database = '', query = ''] = parts
  // libpq would treat the @ as part of a name. It belongs to the password, so the text before it must not be shown.
  if (`${hosts}${database}`.includes('@')) throw new Error(UNREADABLE)
  const parameters: Parameters = { ...credentials(userinfo), ...hostsAndPorts(hosts) }
  if (database) parameters.dbname = decode(database, 'the database name')
  Object.assign(parameters, queryParameters(query))
  return connectionOf(parameters)
}

const UNREADABLE =
  'cannot be read; percent-encode special characters in the password (@ is %40, / is %2F, # is %23)'

const OTHER_SCHEMES = [
  'postgres',
  'postgresql',
  'mysql',
  'mariadb',
  'mongodb',
  'redis',
  'sqlite',
  'jdbc',
  'http',
  'https',
  'postgis',
]

function notAUrl(url: string): string {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(url.trim())?.[1]
  if (!scheme) return 'must look like postgres://user:password@host:5432/database'
  if (/^postgres(ql)?$/.test(scheme)) return UNREADABLE
  // Any other text may be the beginning of a secret.
  const shown = OTHER_SCHEMES.includes(scheme.toLowerCase()) ? `, not with ${scheme}://` : ''
  return `must start with postgres:// or postgresql://${shown}`
}

function credentials(userinfo: string): Parameters {
  if (!userinfo) return {}
  const [user = '', ...password] = userinfo.split(':')
  const found: Parameters = {}
  if (user) found.user = decode(user, 'the user name')
  if (password.length > 0) found.password = decode(password.join(':'), 'the password')
  return found
}

function hostsAndPorts(list: string): Parameters {
  if (!list) return {}
  const pairs = list.split(',').map((item) => {
    const match = /^(\[[^\]]+\]|[^:[\]]*)(?::(\d*))?$/.exec(item)
    if (!match) {
      throw new Error(
        'names a host and port that cannot be read; percent-encode special characters in the password',
      )
    }
    return { host: decode(match[1]!.replace(/^\[|\]$/g, ''), 'the host'), port: match[2] ?? '' }
  })
  const found: Parameters = {}
  if (pairs.some((pair) => pair.host)) found.host = pairs.map((pair) => pair.host).join(',')
  if (pairs.some((pair) => pair.port)) found.port = pairs.map((pair) => pair.port).join(',')
  return found
}

function queryParameters(query: string): Parameters {
  const found: Parameters = {}
  for (const item of query.split('&').filter(Boolean)) {
    const separator = item.indexOf('=')
    const rawName = separator < 0 ? item : item.slice(0, separator)
    const name = decode(rawName, 'a parameter name')
    // Any other text may be the rest of a password that is not percent-encoded.
    const isName = /^[a-z_]+$/i.test(name) && !query.includes('@')
    const what = isName ? `the parameter "${name}"` : 'a parameter'
    if (separator < 0) throw new Error(`has ${what} without a value`)
    const value = decode(item.slice(separator + 1), what)
    // libpq accepts this for compatibility with JDBC.
    if (name === 'ssl' && value === 'true') found.sslmode = 'require'
    else if (Object.hasOwn(VARIABLES, name)) found[name] = value
    else if (!HARMLESS_WITHOUT_VARIABLE.includes(name)) {
      throw new Error(`has ${what}, which libpq does not support as an environment variable; remove it`)
    }
  }
  return found
}

function decode(text: string, what: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch {
    throw new Error(`has a broken percent-encoding in ${what} (a literal % is written %25)`)
  }
  if (decoded.includes('\0')) throw new Error(`has a NUL byte in ${what}`)
  return decoded
}

function connectionOf(parameters: Parameters): Connection {
  const { dbname, ...others } = parameters
  if (!dbname) throw new Error('has no database name; add it after the host, as in postgres://host/database')
  if (Buffer.byteLength(dbname) > 63) throw new Error('has a database name longer than 63 bytes')
  const variables = Object.fromEntries(
    Object.entries(others).map(([name, value]) => [VARIABLES[name]!, value]),
  )
  return { variables, database: dbname, label: labelOf(variables, dbname) }
}

function labelOf(variables: Readonly<Record<string, string>>, database: string): string {
  const hosts = (variables.PGHOST ?? variables.PGHOSTADDR ?? 'local socket').split(',')
  const ports = (variables.PGPORT ?? '').split(',')
  const pairs = hosts.map((host, index) => {
    const port = ports[index] ?? ports[0]
    return port ? `${host.includes(':') ? `[${host}]` : host}:${port}` : host
  })
  return `${variables.PGSERVICE ? `service ${variables.PGSERVICE}` : pairs.join(',')}/${database}`
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
