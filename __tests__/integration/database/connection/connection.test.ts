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
  toUrl,
} from '../../../../src/database/connection/connection.ts'
import { parseDatabaseUrl } from '../../../../src/database/connection/database-url.ts'

const parts = (url: string) => {
  const { variables, database } = parseDatabaseUrl(url)
  return { ...variables, PGDATABASE: database }
}

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
    // One that begins with a variable of a shell is refused.
    PGSSLROOTCERT: text.filter((path) => !path.startsWith('$')),
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
