import assert from 'node:assert/strict'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseDatabaseUrl } from '../../../../src/database/connection/database-url.ts'

const parts = (url: string) => {
  const { variables, database } = parseDatabaseUrl(url)
  return { ...variables, PGDATABASE: database }
}

test('a URL is read as libpq reads it', () => {
  const cases: [string, Record<string, string>][] = [
    ['postgres://host/db', { PGHOST: 'host', PGDATABASE: 'db' }],
    [
      'postgresql://user:pw@host:5433/db?sslmode=require',
      {
        PGUSER: 'user',
        PGPASSWORD: 'pw',
        PGHOST: 'host',
        PGPORT: '5433',
        PGDATABASE: 'db',
        PGSSLMODE: 'require',
      },
    ],
    [
      'postgres://%75s%40er:p%40s%3As%2Fw%25r%27d%22%20%C3%A9@h%6Fst/d%2Fb%3F?application_name=a%26b',
      { PGUSER: 'us@er', PGPASSWORD: `p@s:s/w%r'd" é`, PGHOST: 'host', PGDATABASE: 'd/b?', PGAPPNAME: 'a&b' },
    ],
    // Only what ends a part needs an encoding.
    [
      `postgres://u:p:a#s?s'"+;&=@h/db`,
      { PGUSER: 'u', PGPASSWORD: `p:a#s?s'"+;&=`, PGHOST: 'h', PGDATABASE: 'db' },
    ],
    ['postgres://u:@h/db', { PGUSER: 'u', PGPASSWORD: '', PGHOST: 'h', PGDATABASE: 'db' }],
    ['postgres://:pw@h/db', { PGPASSWORD: 'pw', PGHOST: 'h', PGDATABASE: 'db' }],
    ['postgres://@h/db', { PGHOST: 'h', PGDATABASE: 'db' }],
    ['postgres://h:/db', { PGHOST: 'h', PGDATABASE: 'db' }],
    ['postgres://[2001:db8::1]:5433/db', { PGHOST: '2001:db8::1', PGPORT: '5433', PGDATABASE: 'db' }],
    ['postgres://[fe80::1%25eth0]/db', { PGHOST: 'fe80::1%eth0', PGDATABASE: 'db' }],
    ['postgres://a:1,b,[::1]:3/db', { PGHOST: 'a,b,::1', PGPORT: '1,,3', PGDATABASE: 'db' }],
    ['postgres://%2Ftmp%2Fsocket:5433/db', { PGHOST: '/tmp/socket', PGPORT: '5433', PGDATABASE: 'db' }],
    [
      'postgres:///db?host=/tmp/socket&port=5433',
      { PGHOST: '/tmp/socket', PGPORT: '5433', PGDATABASE: 'db' },
    ],
    ['postgres://a/db?host=b&dbname=c', { PGHOST: 'b', PGDATABASE: 'c' }],
    ['postgres:///?dbname=db&user=me@work', { PGUSER: 'me@work', PGDATABASE: 'db' }],
    ['postgres://h/db?ssl=true', { PGHOST: 'h', PGDATABASE: 'db', PGSSLMODE: 'require' }],
    [
      'postgres://h/db?sslmode=verify-full&sslrootcert=%2Fca.pem&options=-c%20geqo%3Doff&connect_timeout=5',
      {
        ...{ PGHOST: 'h', PGDATABASE: 'db', PGSSLMODE: 'verify-full', PGSSLROOTCERT: '/ca.pem' },
        ...{ PGOPTIONS: '-c geqo=off', PGCONNECT_TIMEOUT: '5' },
      },
    ],
    ['postgres://h/db?keepalives_idle=5&tcp_user_timeout=9', { PGHOST: 'h', PGDATABASE: 'db' }],
    [`postgres://h/${'é'.repeat(31)}x`, { PGHOST: 'h', PGDATABASE: `${'é'.repeat(31)}x` }],
    [' postgres://h/db\n', { PGHOST: 'h', PGDATABASE: 'db' }],
  ]
  for (const [url, expected] of cases) assert.deepEqual(parts(url), expected, url)
})

test('a URL that cannot be read is refused without any part of the secret', () => {
  const cases: [string, RegExp][] = [
    ['user:canary@host/db', /must look like postgres:\/\//],
    ['host=db password=canary', /must look like postgres:\/\//],
    ['mysql://user:canary@host/db', /not with mysql:\/\//],
    ['POSTGRES://user:canary@host/db', /not with POSTGRES:\/\//],
    ['postgres://user:canary@host', /no database name/],
    ['postgres://user:canary@host/', /no database name/],
    ['postgres://user:canary@host/?sslmode=require', /no database name/],
    [`postgres://user:canary@host/${'x'.repeat(64)}`, /longer than 63 bytes/],
    [`postgres://user:canary@host/${'é'.repeat(32)}`, /longer than 63 bytes/],
    ['postgres://user:canary%@host/db', /broken percent-encoding in the password/],
    ['postgres://user:canary%4@host/db', /broken percent-encoding in the password/],
    ['postgres://user:canary%E9@host/db', /broken percent-encoding in the password/],
    ['postgres://us%er:canary@host/db', /in the user name/],
    ['postgres://user:canary@ho%st/db', /in the host/],
    ['postgres://user:canary@host/d%b', /in the database name/],
    ['postgres://user:canary@host/db?%zz=1', /in a parameter name/],
    ['postgres://user:canary@host/db?options=%zz', /in the parameter "options"/],
    ['postgres://user:canary%00@host/db', /NUL byte in the password/],
    ['postgres://user:canary@host/d%00b', /NUL byte in the database name/],
    ['postgres://user:canary@host:port/db', /host and port/],
    ['postgres://user:canary@::1/db', /host and port/],
    ['postgres://user:canary@[::1/db', /host and port/],
    ['postgres://user:canary@[]/db', /host and port/],
    ['postgres://user:canary@[::1]x/db', /host and port/],
    // Special characters of a password that were not encoded: what follows them looks like a host or a database.
    ['postgres://user:x@canary@host/db', /percent-encode/],
    ['postgres://user:1/canary@host/db', /percent-encode/],
    ['postgres://user:1/x?canary@host/db', /a parameter, which libpq does not support/],
    ['postgres://user:1/x?canary=1@host/db', /a parameter, which libpq does not support/],
    ['postgres://user:canary@host/db?sslmod=require', /"sslmod"/],
    ['postgres://user:canary@host/db?constructor=1', /"constructor"/],
    ['postgres://user:canary@host:99999/db', /the port 99999, which is not a number from 1 to 65535/],
    ['postgres://host/db?password=x&canary', /a parameter, which/],
    ['postgres://user:12345canary@host/db?port=0', /the port 0, which/],
    ['postgres://user:9876543210/db', /a port that is not a number/],
    ['postgres://user:canary@a,b,c/db?port=1,2', /more or fewer ports than hosts/],
    ['postgresql+psycopg://user:canary@/db?host=a:5432', /port in the parameter "host"/],
    ['"postgres://user:canary@host/db"', /remove the quotes/],
    ['DATABASE_URL=postgres://user:canary@host/db', /the name of a variable before it/],
    ["psql 'postgresql://user:canary@host/db'", /the command/],
    ['prisma+postgres://accelerate.prisma-data.net/?api_key=canary', /Prisma Accelerate/],
    ['jdbc:mysql://user:canary@host/db', /not with jdbc:mysql:\/\//],
    ['jdbc:tc:postgresql:16:///canary', /must look like/],
    ['postgresql+auroradataapi://user:canary@host/db', /must start with postgres:\/\//],
    ['postgres://user:canary@host/db?sslmode', /"sslmode" without a value/],
  ]
  for (const [url, reason] of cases) {
    assert.throws(
      () => parseDatabaseUrl(url),
      ({ message }: Error) => reason.test(message) && !message.includes('canary'),
      url,
    )
  }
})

test('the URLs of frameworks reach the same place', () => {
  const same = { PGUSER: 'u', PGPASSWORD: 'p w', PGHOST: 'h', PGPORT: '5433', PGDATABASE: 'db' }
  const urls = [
    'postgresql+asyncpg://u:p%20w@h:5433/db',
    'postgresql+psycopg://u:p%20w@h:5433/db?prepare_threshold=0',
    'postgresql+psycopg2://u:p%20w@h:5433/db?isolation_level=AUTOCOMMIT',
    'postgres+psycopg2://u:p%20w@h:5433/db',
    'postgresql+pg8000://:p%20w@h:5433/db?username=u',
    'postgis://u:p%20w@h:5433/db?conn_max_age=600&CONN_HEALTH_CHECKS=true',
    'ecto://u:p%20w@h:5433/db?pool_size=10&queue_target=50',
    'pdo-pgsql://u:p%20w@h:5433/db?serverVersion=16&charset=utf8',
    'postgres://u:p%20w@h:5433/db?schema=public&connection_limit=5&pgbouncer=true&statement_cache_size=0',
    'postgres://u:p%20w@h:5433/db?pool=5&prepared_statements=false&reaping_frequency=10',
    'postgres://u:p%20w@h:5433/db?pool_max_conns=4&default_query_exec_mode=exec',
    'postgres://u:p%20w@h:5433/db?max=10&idleTimeoutMillis=30000&uselibpqcompat=true&supa=base-pooler.x',
    'jdbc:postgresql://h:5433/db?user=u&password=p+w&currentSchema=app&prepareThreshold=0&tcpKeepAlive',
    'jdbc:postgresql://u:p%20w@h:5433/db',
    'r2dbc:pool:postgresql://u:p%20w@h:5433/db?maxSize=1',
  ]
  for (const url of urls) assert.deepEqual(parts(url), same, url)
})

test('parameters of frameworks that change where or how to connect are taken over', () => {
  const cases: [string, Record<string, string>][] = [
    ['jdbc:postgresql:db', { PGHOST: 'localhost' }],
    ['jdbc:postgresql:///db?user=u', { PGHOST: 'localhost', PGUSER: 'u' }],
    [
      'jdbc:postgresql://a:1,b:2/db?targetServerType=master',
      { PGHOST: 'a,b', PGPORT: '1,2', PGTARGETSESSIONATTRS: 'primary' },
    ],
    ['jdbc:postgresql://h/db?ssl=true', { PGHOST: 'h', PGSSLMODE: 'verify-full' }],
    ['jdbc:postgresql://h/db?ssl', { PGHOST: 'h', PGSSLMODE: 'verify-full' }],
    [
      'jdbc:postgresql://h/db?ssl=true&sslmode=require&ApplicationName=a',
      { PGHOST: 'h', PGSSLMODE: 'require', PGAPPNAME: 'a' },
    ],
    [
      'jdbc:postgresql://h/db?loadBalanceHosts=true&connectTimeout=5',
      { PGHOST: 'h', PGLOADBALANCEHOSTS: 'random', PGCONNECT_TIMEOUT: '5' },
    ],
    ['postgresql+asyncpg://h/db?ssl=require', { PGHOST: 'h', PGSSLMODE: 'require' }],
    ['postgresql+asyncpg://h/db?ssl=verify-full', { PGHOST: 'h', PGSSLMODE: 'verify-full' }],
    ['postgresql+psycopg2:///db?host=/var/run/postgresql', { PGHOST: '/var/run/postgresql' }],
    ['postgres://localhost/db?host=/cloudsql/a:b:c&schema=x', { PGHOST: '/cloudsql/a:b:c' }],
    ['postgres://h/db?sslmode=no-verify', { PGHOST: 'h', PGSSLMODE: 'require' }],
    ['postgres://h/db?ssl=false', { PGHOST: 'h', PGSSLMODE: 'disable' }],
    [
      'postgres://h/db?ssl-mode=verify-ca&ssl-ca=%2Fca.pem',
      { PGHOST: 'h', PGSSLMODE: 'verify-ca', PGSSLROOTCERT: '/ca.pem' },
    ],
    ['ecto://h/db?socket_dir=/tmp', { PGHOST: '/tmp' }],
    [
      'postgres://h/db?sslmode=verify-ca&sslrootcert=~/ca.pem',
      { PGHOST: 'h', PGSSLMODE: 'verify-ca', PGSSLROOTCERT: join(homedir(), 'ca.pem') },
    ],
    ['postgres://h/db?sslrootcert=system&x-migrations-table=m', { PGHOST: 'h', PGSSLROOTCERT: 'system' }],
    // libpq, unlike frameworks, reads + as itself.
    ['postgres://h/db?application_name=a+b', { PGHOST: 'h', PGAPPNAME: 'a+b' }],
  ]
  for (const [url, expected] of cases) assert.deepEqual(parts(url), { ...expected, PGDATABASE: 'db' }, url)
})

test('what is left out is named, and nothing else is', () => {
  const url = 'postgres://h/db?schema=public&connection_limit=5&sslmode=require&keepalives=1'
  assert.deepEqual(parseDatabaseUrl(url).leftOut, ['schema', 'connection_limit'])
  assert.equal(parseDatabaseUrl('postgres://h/db?sslmode=require&keepalives=1').leftOut, undefined)
})

test('several wrong parameters are one error', () => {
  const unsupported = 'which libpq does not support as an environment variable'
  const cases: [string, string][] = [
    [
      'jdbc:postgresql://h/db?targetServerType=preferPrimary',
      'has an unknown target_session_attrs; it must be one of any, read-write, read-only, primary, standby, prefer-standby',
    ],
    [
      'postgres://h/db?sslrootcert=$HOME/ca.pem',
      'has the parameter "sslrootcert", whose path begins with "$HOME", which only a shell replaces; write a path in the workspace, an absolute path, or ~/ for the home folder',
    ],
    [
      'postgres://h:0/db?sslmod=x&schema=public&socketFactory=y&sslmode=maybe&options',
      `has the parameter "options" without a value; has the parameter "sslmod" and the parameter "socketFactory" (use tunnel-command), ${unsupported}; remove them; has the port 0, which is not a number from 1 to 65535; has an unknown sslmode; it must be one of disable, allow, prefer, require, verify-ca, verify-full`,
    ],
    [
      'postgres://h/db?host=a&host=b&hostx=c',
      `has two different values for the parameter "host"; has the parameter "hostx", ${unsupported}; remove it`,
    ],
    [
      'postgres://h/db?ssl=true&sslmode=disable',
      'requires TLS with ssl and not with sslmode; remove one of them',
    ],
    [
      'postgres://h/db?sslaccept=strict',
      `has the parameter "sslaccept" (write sslmode=require, or sslmode=verify-full with sslrootcert), ${unsupported}; remove it`,
    ],
    [
      'r2dbc:postgresql://h/db?connectTimeout=PT5S',
      'has a connect_timeout that is not a whole number of seconds',
    ],
    [
      'postgres://h/db?ssl=constructor',
      'has an unknown sslmode; it must be one of disable, allow, prefer, require, verify-ca, verify-full',
    ],
  ]
  for (const [url, message] of cases) assert.throws(() => parseDatabaseUrl(url), { message }, url)
})
