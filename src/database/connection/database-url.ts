import { type Connection, connectionOf } from './connection.ts'
import { type Dialect, queryParameters, valueProblems } from './url-parameters.ts'
import { decode, type Parameters } from './url-text.ts'

/**
 * Schemes of frameworks for the same servers: SQLAlchemy (`postgresql+asyncpg`), Django (dj-database-url, django-environ),
 * ActiveRecord, Ecto, Doctrine, golang-migrate, pgjdbc and R2DBC. Only drivers that speak PostgreSQL's protocol are among them.
 */
const DRIVERS = 'psycopg|psycopg2|psycopg2cffi|psycopg_async|asyncpg|aiopg|pg8000|pygresql|pypostgresql'
const NAMES = `postgis|pgsql|psql|pdo[-_]pgsql|timescale|timescaledb|timescalegis|ecto|pgx[45]?`
const FRAMEWORK = new RegExp(`^(?:postgres(?:ql)?\\+(?:${DRIVERS})|${NAMES})(?=://)`)
const JDBC = /^(?:jdbc:(?:postgresql|pgsql)|r2dbc:(?:pool:)?postgresql):(?:\/\/)?/

/**
 * Reads a connection URI as libpq does (`conninfo_uri_parse_options` in fe-connect.c): percent-encoding in every
 * part, IPv6 in brackets, several hosts, Unix sockets as an encoded host or a `host` parameter. The URIs of frameworks
 * are read as well; parameters that only tune a framework are left out and named in the result.
 *
 * @throws an Error without any part of the URI that could hold a secret.
 */
export function parseDatabaseUrl(url: string): Connection {
  const { uri, dialect } = toLibpq(url.trim())
  const parts = /^postgres(?:ql)?:\/\/(?:([^@/]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(uri)
  if (!parts) throw new Error(notAUrl(url.trim()))
  const [, userinfo = '', hosts = '', database = '', query = ''] = parts
  // libpq would treat the @ as part of a name. It belongs to the password, so the text before it must not be shown.
  if (`${hosts}${database}`.includes('@')) throw new Error(UNREADABLE)
  const secretive = query.includes('@')
  const given = queryParameters(query, dialect, secretive)
  const parameters: Parameters = {
    // pgjdbc never uses a Unix socket.
    ...(dialect === 'jdbc' && { host: 'localhost' }),
    ...credentials(userinfo),
    ...hostsAndPorts(hosts),
    ...(database && { dbname: decode(database, 'the database name') }),
    ...given.parameters,
  }
  const problems = [...given.problems, ...valueProblems(parameters, secretive)]
  if (problems.length > 0) throw new Error(problems.join('; '))
  return connectionOf(parameters, given.leftOut)
}

/** Returns the URI with libpq's scheme. pgjdbc takes a database alone (`jdbc:postgresql:shop`). */
function toLibpq(url: string): { uri: string; dialect: Dialect } {
  const jdbc = JDBC.exec(url)?.[0]
  if (jdbc) {
    const rest = url.slice(jdbc.length)
    const alone = !jdbc.endsWith('//') && !rest.startsWith('/')
    return { uri: `postgresql://${alone ? '/' : ''}${rest}`, dialect: 'jdbc' }
  }
  if (FRAMEWORK.test(url)) return { uri: url.replace(FRAMEWORK, 'postgresql'), dialect: 'framework' }
  return { uri: url, dialect: 'libpq' }
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
  'http',
  'https',
  'redshift',
  'cockroachdb',
]

function notAUrl(url: string): string {
  if (/^prisma(?:\+postgres)?:/.test(url))
    return 'is an address of Prisma Accelerate, which is not a PostgreSQL server; use the URL of the database itself'
  if (/^(?:["'`]|psql |[A-Z_]+=).*postgres(?:ql)?:\/\//s.test(url))
    return 'must begin with postgres://; remove the quotes, the command or the name of a variable before it'
  const [, prefix = '', scheme] = /^(jdbc:|r2dbc:)?([A-Za-z][\w+.-]*):\/\//.exec(url) ?? []
  if (!scheme) return 'must look like postgres://user:password@host:5432/database'
  if (!prefix && /^postgres(ql)?$/.test(scheme)) return UNREADABLE
  // Any other text may be the beginning of a secret.
  const shown = OTHER_SCHEMES.includes(scheme.toLowerCase()) ? `, not with ${prefix}${scheme}://` : ''
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
