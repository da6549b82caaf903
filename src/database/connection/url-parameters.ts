import { messageOf } from '../../errors.ts'
import { parsePath } from '../../process/user-path.ts'
import { VARIABLES } from './connection.ts'
import { decode, type Parameters } from './url-text.ts'

/** What the query of a connection URL says. */
export type UrlParameters = {
  /** libpq's parameters, also where the URL spells them as a framework does. */
  parameters: Parameters
  /** Names of the parameters that only tune a framework, as the URL spells them. */
  leftOut: string[]
  /** One phrase for each mistake. It completes the sentence "<input> …". */
  problems: string[]
}

/** How the query is written: `libpq`, or with `+` for a space as every framework reads it. */
export type Dialect = 'libpq' | 'framework' | 'jdbc'

/** Compares names without case and separators: `applicationName`, `ApplicationName` and `application-name` are one. */
const plain = (name: string) => name.toLowerCase().replace(/[_-]/g, '')

const LIBPQ_NAMES = new Map(Object.keys(VARIABLES).map((name) => [plain(name), name]))

/** Other names of libpq's parameters: ActiveRecord, Ecto, sqlx, pgjdbc. */
const SPELLINGS = new Map([
  ['username', 'user'],
  ['database', 'dbname'],
  ['pghost', 'host'],
  ['pgport', 'port'],
  ['pgdbname', 'dbname'],
  ['socketdir', 'host'],
  ['sslca', 'sslrootcert'],
  ['kerberosservername', 'krbsrvname'],
  ['targetservertype', 'target_session_attrs'],
])

/** Values that a framework writes differently from libpq. */
const VALUES = new Map([
  ['sslmode=no-verify', 'require'],
  ['load_balance_hosts=true', 'random'],
  ['load_balance_hosts=false', 'disable'],
  ['target_session_attrs=master', 'primary'],
  ['target_session_attrs=slave', 'standby'],
  ['target_session_attrs=secondary', 'standby'],
  ['target_session_attrs=preferSlave', 'prefer-standby'],
  ['target_session_attrs=preferSecondary', 'prefer-standby'],
])

/** libpq's parameters without a variable. They only tune the connection. */
const WITHOUT_VARIABLE = new Set(
  [
    ...['keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_count'],
    ...['tcp_user_timeout', 'fallback_application_name'],
  ].map(plain),
)

/** The values that libpq accepts (fe-connect.c, `pqConnectOptions2`). */
const CHOICES: readonly (readonly [string, readonly string[]])[] = [
  ['sslmode', ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']],
  ['target_session_attrs', ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby']],
  ['channel_binding', ['disable', 'prefer', 'require']],
  ['gssencmode', ['disable', 'prefer', 'require']],
  ['load_balance_hosts', ['disable', 'random']],
]

/** Parameters that are paths. */
const PATHS: readonly string[] = ['passfile', 'sslcert', 'sslkey', 'sslrootcert', 'sslcrl', 'sslcrldir']

const MODES_WITHOUT_TLS: readonly (string | undefined)[] = ['disable', 'allow', 'prefer']

/**
 * Parameters that tune pools, caches, logs and names inside a framework, or that set what the action sets itself in its
 * sessions. None of them changes the server, the role, the database or the protection of the connection.
 */
const ONLY_TUNING = new Set(
  `
  schema connection_limit pool_timeout pgbouncer statement_cache_size socket_timeout single_use_connections
  max_connection_lifetime max_idle_connection_lifetime supa workaround

  pool pool_size max_overflow pool_recycle pool_pre_ping pool_use_lifo pool_reset_on_return echo echo_pool isolation_level
  executemany_mode executemany_batch_page_size insertmanyvalues_page_size use_native_hstore use_insertmanyvalues
  prepared_statement_cache_size prepared_statement_name_func prepare_threshold command_timeout async_fallback
  max_cached_statement_lifetime max_cacheable_statement_size min_size max_size autocommit initial_size

  conn_max_age conn_health_checks disable_server_side_cursors atomic_requests server_side_binding

  reconnect prepared_statements advisory_locks statement_limit schema_search_path encoding checkout_timeout idle_timeout
  reaping_frequency min_messages insert_returning adapter max_threads min_threads min_connections max_connections keepalive
  pool_jitter max_age query_cache schema_dump migrations_paths database_tasks

  timeout queue_target queue_interval prepare ownership_timeout handshake_timeout idle_interval idle_limit pool_count
  show_sensitive_data_on_connection_error stacktrace log

  pool_max_conns pool_min_conns pool_min_idle_conns pool_max_conn_lifetime pool_max_conn_lifetime_jitter
  pool_max_conn_idle_time pool_health_check_period default_query_exec_mode statement_cache_capacity
  description_cache_capacity statement_cache_mode prefer_simple_protocol binary_parameters
  disable_prepared_binary_result log_level

  max min pool_max pool_min max_lifetime idleTimeoutMillis connectionTimeoutMillis query_timeout keepAliveInitialDelayMillis
  allowExitOnIdle uselibpqcompat binary no_prepare fetch_types max_pipeline backoff debug logging synchronize dialect
  max_uses acquire_timeout

  currentSchema tcpKeepAlive tcpNoDelay loginTimeout cancelSignalTimeout sslResponseTimeout prepareThreshold
  preparedStatementCacheQueries preparedStatementCacheSizeMiB databaseMetadataCacheFields
  databaseMetadataCacheFieldsMiB defaultRowFetchSize adaptiveFetch adaptiveFetchMinimum adaptiveFetchMaximum
  reWriteBatchedInserts binaryTransfer binaryTransferEnable binaryTransferDisable stringtype autosave cleanupSavepoints
  preferQueryMode queryMode logUnclosedConnections logServerErrorDetail loggerLevel loggerFile hostRecheckSeconds
  assumeMinServerVersion unknownLength disableColumnSanitiser hideUnprivilegedObjects escapeSyntaxCallMode
  quoteReturningIdentifiers groupStartupParameters maxResultBuffer receiveBufferSize sendBufferSize maxSendBufferSize
  allowEncodingChanges xmlFactoryFactory lockWaitTimeout

  serverVersion charset default_dbname persistent prefix prefix_indexes

  search_path timezone statement_timeout lock_timeout idle_in_transaction_session_timeout datestyle intervalstyle
  client_min_messages extra_float_digits jit work_mem

  x-migrations-table x-migrations-table-quoted x-statement-timeout x-multi-statement x-multi-statement-max-size
  `
    .split(/\s+/)
    .filter(Boolean)
    .map(plain),
)

/** What to write instead of parameters that have no equal in libpq's environment. */
const INSTEAD = new Map([
  ['sslfactory', 'write sslmode=require, or sslmode=verify-full with sslrootcert'],
  ['sslaccept', 'write sslmode=require, or sslmode=verify-full with sslrootcert'],
  ['sslidentity', 'write sslcert and sslkey'],
  ['sslpassword', 'use a key without a passphrase'],
  ['socketfactory', 'use tunnel-command'],
  ['socket', 'write host with the directory of the socket'],
])

/**
 * Reads the query of a connection URL. What libpq knows is taken over, what only tunes a framework is left out, and the
 * rest is a problem, because it may change where or how the framework connects.
 *
 * @param secretive whether the text may be the rest of a password, so that no name of it may be shown
 */
export function queryParameters(query: string, dialect: Dialect, secretive: boolean): UrlParameters {
  const result: UrlParameters = { parameters: {}, leftOut: [], problems: [] }
  const unknown: string[] = []
  let ssl: string | null = null
  for (const item of query.split('&').filter(Boolean)) {
    try {
      // An item without a value may be the rest of a password with an & in it.
      const hidden = secretive || (!item.includes('=') && result.parameters.password !== undefined)
      const { name, value, what } = splitItem(item, dialect, hidden)
      const key = plain(name)
      const known = LIBPQ_NAMES.get(key) ?? SPELLINGS.get(key)
      if (ONLY_TUNING.has(key)) result.leftOut.push(name)
      else if (WITHOUT_VARIABLE.has(key)) continue
      else if (key === 'ssl') ssl = tlsMode(value ?? 'true', dialect)
      else if (!known) unknown.push(describeUnknown(key, what))
      else if (value === null) throw new Error(`has ${what} without a value`)
      else store(result.parameters, known, VALUES.get(`${known}=${value}`) ?? value, what)
    } catch (error) {
      result.problems.push(messageOf(error))
    }
  }
  if (ssl !== null) applySsl(result, ssl)
  if (unknown.length > 0) result.problems.push(describeAll(unknown))
  return result
}

function splitItem(item: string, dialect: Dialect, secretive: boolean) {
  const separator = item.indexOf('=')
  const text = dialect === 'libpq' ? item : item.replaceAll('+', ' ')
  const name = decode(separator < 0 ? text : text.slice(0, separator), 'a parameter name')
  const what = /^[a-z][\w-]*$/i.test(name) && !secretive ? `the parameter "${name}"` : 'a parameter'
  return { name, what, value: separator < 0 ? null : decode(text.slice(separator + 1), what) }
}

/** libpq takes the last of two values; a framework may take the first or both. */
function store(parameters: Parameters, name: string, value: string, what: string): void {
  if (Object.hasOwn(parameters, name) && parameters[name] !== value)
    throw new Error(`has two different values for ${what}`)
  parameters[name] = PATHS.includes(name) ? pathOf(value, what) : value
}

/** libpq takes `~` for the name of a folder, and goes on without a file that does not exist in some TLS modes. */
function pathOf(value: string, what: string): string {
  try {
    return parsePath(value)
  } catch (error) {
    throw new Error(`has ${what}, whose path ${messageOf(error)}`, { cause: error })
  }
}

/** Returns the TLS mode of `ssl`, which frameworks write as a truth value or as a mode. pgjdbc then checks the certificate. */
function tlsMode(value: string, dialect: Dialect): string {
  const text = value.toLowerCase()
  if (['true', '1', ''].includes(text)) return dialect === 'jdbc' ? 'verify-full' : 'require'
  if (['false', '0'].includes(text)) return dialect === 'jdbc' ? 'prefer' : 'disable'
  return VALUES.get(`sslmode=${text}`) ?? text
}

/** `sslmode` says more than `ssl`, and wins unless it would take away the protection that `ssl` asks for. */
function applySsl({ parameters, problems }: UrlParameters, ssl: string): void {
  const { sslmode } = parameters
  if (sslmode === undefined) parameters.sslmode = ssl
  else if (MODES_WITHOUT_TLS.includes(sslmode) && !MODES_WITHOUT_TLS.includes(ssl))
    problems.push('requires TLS with ssl and not with sslmode; remove one of them')
}

function describeUnknown(key: string, what: string): string {
  const instead = INSTEAD.get(key)
  return instead ? `${what} (${instead})` : what
}

function describeAll(unknown: readonly string[]): string {
  const list = new Intl.ListFormat('en').format(unknown)
  const them = unknown.length === 1 ? 'it' : 'them'
  return `has ${list}, which libpq does not support as an environment variable; remove ${them}`
}

/** Returns a phrase for each value that libpq would refuse with a message that does not name the input. */
export function valueProblems(parameters: Parameters, secretive: boolean): string[] {
  const { host, port = '', connect_timeout: timeout } = parameters
  const problems: string[] = []
  const [wrong] = wrongPorts(port)
  if (wrong !== undefined) {
    // Longer digits may be a password whose host is missing.
    const shown =
      secretive || !/^\d{1,5}$/.test(wrong) ? 'a port that is not' : `the port ${wrong}, which is not`
    problems.push(`has ${shown} a number from 1 to 65535`)
  }
  const [hosts, ports] = [parameters.hostaddr ?? host ?? '', port].map((list) => list.split(',').length)
  if (ports! > 1 && ports !== hosts) problems.push('has more or fewer ports than hosts')
  if (host !== undefined && /(?:^|,)[^:,/]+:\d+(?:,|$)/.test(host))
    problems.push('has a port in the parameter "host"; write it as port=')
  for (const [name, choices] of CHOICES)
    if (parameters[name] !== undefined && !choices.includes(parameters[name]))
      problems.push(`has an unknown ${name}; it must be one of ${choices.join(', ')}`)
  if (timeout !== undefined && !/^-?\d{1,9}$/.test(timeout))
    problems.push('has a connect_timeout that is not a whole number of seconds')
  return problems
}

/** Returns the entries of a list of ports that are not ports. An empty one is libpq's default. */
export function wrongPorts(list: string): string[] {
  return list
    .split(',')
    .filter((port) => port !== '' && !(/^\d{1,5}$/.test(port) && +port >= 1 && +port <= 65535))
}
