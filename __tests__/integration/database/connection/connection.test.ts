import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  environment,
  noClient,
  program,
  runProgram,
  startSessionBench,
} from '../../../../lab/benches/session-bench.ts'
import {
  ambientConnection,
  type Connection,
  clientEnvironment,
  hostName,
  onDatabase,
  parseDatabaseUrl,
  toUrl,
} from '../../../../src/database/connection/connection.ts'

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
    ['postgres://user:1/x?canary@host/db', /a parameter without a value/],
    ['postgres://user:1/x?canary=1@host/db', /a parameter, which libpq does not support/],
    ['postgres://user:canary@host/db?sslmod=require', /"sslmod"/],
    ['postgres://user:canary@host/db?constructor=1', /"constructor"/],
    ['postgres://user:canary@host/db?schema=public', /"schema"/],
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

test('the label names the server and the database and no secret', () => {
  const cases: [string, string][] = [
    ['postgres://user:canary@host:5433/db?sslmode=require', 'host:5433/db'],
    ['postgres://user:canary@a:1,b,[::1]:3/db', 'a:1,b,[::1]:3/db'],
    ['postgres:///db?password=canary', 'local socket/db'],
    ['postgres:///db?host=/tmp&port=1', '/tmp:1/db'],
    ['postgres:///db?service=shop&password=canary', 'service shop/db'],
  ]
  for (const [url, label] of cases) assert.equal(parseDatabaseUrl(url).label, label)
  assert.equal(onDatabase(parseDatabaseUrl('postgres://h:1/db'), 'other').label, 'h:1/other')
})

test('a dump is named after the first host', () => {
  const cases: [string, string][] = [
    ['postgres://db.example.com:1,b/x', 'db.example.com'],
    ['postgres://%2Ftmp/x', 'localhost'],
    ['postgres:///x', 'localhost'],
  ]
  for (const [url, name] of cases) assert.equal(hostName(parseDatabaseUrl(url)), name)
})

test('a client program sees nothing of the PG* variables of the job', () => {
  const job = {
    ...environment,
    PGSERVICE: 'x',
    PGUSER: 'x',
    PGSSLMODE: 'x',
    'INPUT_DATABASE-URL': 'x',
    AWS_REGION: 'x',
  }
  const connection = parseDatabaseUrl('postgres://user:pw@host/db?connect_timeout=7')
  assert.deepEqual(clientEnvironment(connection, job), {
    PATH: job.PATH,
    HOME: job.HOME,
    LC_ALL: 'C',
    PGAPPNAME: 'pgclone-action',
    PGCONNECT_TIMEOUT: '7',
    PGDATABASE: 'db',
    PGHOST: 'host',
    PGPASSWORD: 'pw',
    PGUSER: 'user',
  })
})

test('without a URL, the variables of the job are all there is', () => {
  const variables = { PGHOST: 'h', PGUSER: 'u', PGPASSWORD: 'pw', PGOPTIONS: '-c geqo=off' }
  const job = { ...variables, PGDATABASE: 'db', PGDATA: '/data', HOME: '/root' }
  assert.deepEqual(ambientConnection(job), { variables, database: 'db', label: 'h/db' })
  assert.equal(ambientConnection({ PGUSER: 'u', PGDATABASE: '' })?.database, 'u')
  assert.equal(ambientConnection({ PGHOST: 'h' }), null)
})

test('what the Windows image presets is no choice of the user', () => {
  const preset = {
    PGUSER: 'postgres',
    PGPASSWORD: 'root',
    PGROOT: 'C:\\Program Files\\PostgreSQL\\17',
    PGBIN: 'x',
  }
  assert.equal(ambientConnection(preset), null)
  assert.equal(ambientConnection({ ...preset, PGDATABASE: 'db' })?.database, 'db')
  assert.equal(ambientConnection({ ...preset, PGHOST: 'h' })?.label, 'h/postgres')
  assert.equal(ambientConnection({ ...preset, PGPASSWORD: 'mine' })?.database, 'postgres')
})

const text = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((one) => !one.includes('\0') && one.isWellFormed())
const host = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom('/var/run/postgresql', 'fe80::1%eth0', '/tmp/a b%2F'),
)
const hosts = fc.array(fc.tuple(host, fc.option(fc.integer({ min: 1, max: 65535 }))), {
  minLength: 1,
  maxLength: 3,
})
const parameters = fc.record(
  {
    PGUSER: text,
    PGPASSWORD: fc.option(text, { nil: '' }),
    PGOPTIONS: text,
    PGSSLROOTCERT: text,
    PGAPPNAME: text,
  },
  { requiredKeys: [] },
)

test('the URL for hooks says what our variables say', () => {
  const name = text.filter((database) => Buffer.byteLength(database) <= 63)
  const property = fc.property(name, parameters, fc.option(hosts), (database, given, servers) => {
    const ports = servers?.map(([, port]) => port ?? '') ?? []
    const variables: Connection['variables'] = {
      ...given,
      ...(servers ? { PGHOST: servers.map(([name]) => name).join(',') } : {}),
      ...(ports.some(Boolean) ? { PGPORT: ports.join(',') } : {}),
    }
    assert.deepEqual(parts(toUrl({ variables, database, label: '' })), { ...variables, PGDATABASE: database })
  })
  fc.assert(property, { numRuns: 500 })
})

test('libpq and we reach the same place', { skip: noClient }, async () => {
  const { postgres } = await startSessionBench()
  const { port, socketDir, password } = postgres
  await postgres.psql('postgres', `create role "r@l:e/%é" login password '?#&=:'`)
  await postgres.createDatabase(`d b/%'é"?`)
  const encoded = encodeURIComponent(password)
  const socket = encodeURIComponent(socketDir)
  const role = encodeURIComponent('r@l:e/%é')
  const database = encodeURIComponent(`d b/%'é"?`)
  const urls = [
    postgres.url('postgres'),
    `postgresql://%70ostgres:${encoded}@localhost:${port}/template1?hostaddr=127.0.0.1`,
    `postgres://${role}:?%23&=%3A@127.0.0.1:${port}/${database}`,
    `postgres://${role}@127.0.0.1:${port}/${database}?password=%3F%23%26%3D%3A&client_encoding=LATIN1`,
    `postgres://postgres:${encoded}@${socket}:${port}/postgres`,
    `postgres://postgres:${encoded}@/postgres?host=${socketDir}&port=${port}`,
    `postgres://postgres:${encoded}@127.0.0.1:1,127.0.0.1:${port}/postgres?connect_timeout=3`,
    `postgres://postgres:${encoded}@[::1]:1,${socket}:${port},127.0.0.1:1/postgres?target_session_attrs=primary`,
    `postgres://postgres:${encoded}@127.0.0.1:${port}/postgres?options=-c%20search_path%3D%22a%5C%20b%22%20-cgeqo=off`.replace(
      'geqo=',
      'geqo%3D',
    ),
    `postgres://postgres:${encoded}@127.0.0.1:${port}/postgres?dbname=template1&keepalives_idle=5`,
  ]
  const select = `select current_user, current_database(), coalesce(inet_server_addr()::text, 'socket'), current_setting('port'),
    current_setting('client_encoding'), current_setting('search_path'), current_setting('geqo')`
  const args = ['-XAtw', '-c', select]
  await Promise.all(
    urls.map(async (url) => {
      const plain = { PATH: environment.PATH!, HOME: environment.HOME }
      const [byUrl, byVariables, byOurUrl] = await Promise.all([
        runProgram(program('psql'), [...args, url], plain),
        runProgram(program('psql'), args, clientEnvironment(parseDatabaseUrl(url), environment)),
        runProgram(program('psql'), [...args, toUrl(parseDatabaseUrl(url))], plain),
      ])
      assert.equal(byUrl.stderr, '', url)
      assert.equal(byVariables.stdout, byUrl.stdout, url)
      assert.equal(byOurUrl.stdout, byUrl.stdout, url)
    }),
  )
})
