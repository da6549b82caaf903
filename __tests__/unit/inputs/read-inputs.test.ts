import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { readMetadata } from '../../../lab/runner/action-inputs.ts'
import { readInputs } from '../../../src/inputs/read-inputs.ts'

const URL = 'postgres://user:p%40ss-canary@db.example.com:5433/shop?sslmode=require'

/** The environment in which the runner starts a step with these inputs. */
function step(inputs: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
  )
}

function message(environment: Record<string, string>): string {
  try {
    readInputs(environment)
  } catch (error) {
    return (error as Error).message
  }
  return assert.fail('all inputs passed')
}

test('every input reaches its place', () => {
  const inputs = readInputs(
    step({
      'database-url': ` ${URL}\n`,
      'maintenance-database': 'defaultdb',
      'storage-location': 's3://backups/nightly/',
      's3-config': 'AWS_ACCESS_KEY_ID=AKIA\nAWS_SECRET_ACCESS_KEY=canary-key',
      's3-endpoint-url': 'https://minio.example.com/',
      's3-checksum': 'when-required',
      's3-max-parts': '1000',
      tables: 'public.orders*\n\n  public."Order"',
      'exclude-table-data': 'logs',
      'pg-dump-args': '--no-comments',
      mask: '.github/mask.yml',
      'mask-key': ' canary-mask-key\n',
      'large-objects': 'keep',
      'leak-scan': 'off',
      'schema-only': 'true',
      compression: 'zstd:3',
      summary: 'false',
      'tolerate-errors': 'extension "pg_cron"',
      provider: 'cloud-sql',
      'idle-timeout': '1h30m',
      'postgres-version': '17',
    }),
  )
  assert.equal(inputs.connection?.database, 'shop')
  assert.equal(inputs.connection?.variables.PGPASSWORD, 'p@ss-canary')
  assert.equal(inputs.connectionFrom, 'database-url')
  assert.equal(inputs.maintenanceDatabase, 'defaultdb')
  assert.deepEqual(inputs.location, { kind: 's3', bucket: 'backups', prefix: 'nightly/' })
  assert.equal(inputs.s3Config.AWS_SECRET_ACCESS_KEY, 'canary-key')
  assert.equal(inputs.s3EndpointUrl, 'https://minio.example.com')
  assert.equal(inputs.s3Checksum, 'when-required')
  assert.equal(inputs.s3MaxParts, 1000)
  assert.deepEqual(inputs.tables, ['public.orders*', 'public."Order"'])
  assert.deepEqual(inputs.excludeTableData, ['logs'])
  assert.deepEqual(inputs.pgDumpArgs, ['--no-comments'])
  assert.equal(inputs.mask, '.github/mask.yml')
  assert.equal(inputs.maskKey, 'canary-mask-key')
  assert.equal(inputs.largeObjects, 'keep')
  assert.equal(inputs.leakScan, false)
  assert.equal(inputs.schemaOnly, true)
  assert.deepEqual(inputs.compression, { method: 'zstd', level: 3 })
  assert.equal(inputs.summary, false)
  assert.ok(inputs.tolerateErrors[0]?.test('extension "pg_cron" is not available'))
  assert.equal(inputs.provider, 'cloud-sql')
  assert.equal(inputs.idleTimeout, 5_400_000)
  assert.equal(inputs.postgresVersion, 17)
})

test('an input that is not given has the default of action.yml, and an empty one is not given', () => {
  const { inputs } = readMetadata()
  const given = Object.entries(inputs).map(([name, input]) => [name, String(input?.default ?? '')])
  const empty = Object.keys(inputs).map((name) => [name, ' '])
  const url = { 'database-url': URL }
  const expected = readInputs(step({ ...Object.fromEntries(given), ...url }))
  assert.deepEqual(readInputs(step(url)), expected)
  assert.deepEqual(readInputs(step({ ...Object.fromEntries(empty), ...url })), expected)
  assert.equal(expected.command, 'dump')
  assert.equal(expected.swap, true)
  assert.equal(expected.config, 'none')
})

test('all mistakes are reported together, each with its input', () => {
  const text = message(
    step({
      command: 'clone',
      'database-url': 'mysql://host/db',
      's3-max-parts': '10001',
      swap: 'maybe',
      'idle-timeout': '10',
      'dump-key': '../../etc',
      's3-storage-class': '--acl=public-read',
      'pg-dump-args': '--file=elsewhere',
      'aws-role-to-assume': 'backup',
    }),
  )
  assert.match(text, /^9 inputs are wrong: /)
  for (const name of [
    'command must',
    'database-url must',
    's3-max-parts must',
    'swap must',
    'idle-timeout must',
    'aws-role-to-assume must be the ARN of a role',
  ])
    assert.ok(text.includes(name), name)
  for (const name of ['dump-key has', 's3-storage-class must', 'pg-dump-args has'])
    assert.ok(text.includes(name), name)
})

test('one mistake is one sentence', () => {
  assert.match(message(step({ command: 'list', jobs: 'many' })), /^Input jobs must be a whole number/)
})

test('without a URL, the variables of libpq decide', () => {
  const environment = { PGHOST: 'db.example.com', PGUSER: 'app', PGPASSWORD: 'canary', PGDATA: '/data' }
  const { connection, connectionFrom } = readInputs(environment)
  assert.equal(connectionFrom, 'environment')
  assert.equal(connection?.database, 'app')
  assert.deepEqual(connection?.variables, { PGHOST: 'db.example.com', PGUSER: 'app', PGPASSWORD: 'canary' })
  assert.equal(readInputs({ ...environment, PGDATABASE: 'shop' }).connection?.database, 'shop')
  assert.match(message({}), /^Input database-url is missing/)
})

test('with a URL, they do not', () => {
  const ambient = { PGHOST: 'evil', PGHOSTADDR: '10.0.0.1', PGPASSWORD: 'root', PGDATABASE: 'other' }
  const { connection } = readInputs({ ...step({ 'database-url': 'postgres://host/db' }), ...ambient })
  assert.deepEqual(connection, { variables: { PGHOST: 'host' }, database: 'db', label: 'host/db' })
})

test('no mistake shows a secret', () => {
  const urls = [
    'postgres://user:canary@host:port/db',
    'postgres://user:canary@host',
    'postgres://user:canary%zz@host/db',
    'postgres://user:can/ary@host/db',
    'postgres://user:12/canary@host/db',
    'postgres://user:can@ary@host/db',
    'postgres://user:1/a?canary@host/db',
    'postgres://user:1/a?canary=x@host/db',
    'postgres://user:1/a?canary%zz=x@host/db',
    'postgres://user:canary@host/db?nonsense=canary',
    'postgres://user:canary@[::1/db',
    'mysql://user:canary@host/db',
    'user:canary@host/db',
    'postgres:/user:canary@host/db',
    'https://postgres:canary@host',
    'host=db password=canary',
  ]
  for (const url of urls) {
    assert.doesNotMatch(message(step({ 'database-url': url })), /can.?ary|ary@/, url)
  }
  const configs = [
    'canary',
    'AWS_SECRET_ACCESS_KEY="canary"',
    'canary=',
    '{"AWS_SECRET_ACCESS_KEY": "canary"',
    '{"canary": 1}',
  ]
  for (const config of configs) {
    assert.doesNotMatch(message(step({ command: 'list', 's3-config': config })), /canary/, config)
  }
  const endpoint = step({ command: 'list', 's3-endpoint-url': 'https://user:canary@minio.example.com' })
  assert.doesNotMatch(message(endpoint), /canary/)
})

test('overwrite is a boolean, or names what may go', () => {
  const read = (overwrite: string) => {
    const inputs = readInputs(
      step({ command: 'restore', 'dump-key': 'latest', 'database-url': URL, overwrite }),
    )
    return [inputs.overwrite, inputs.overwriteNamed]
  }
  assert.deepEqual(read(''), [false, []])
  assert.deepEqual(read('true'), [true, []])
  const named = ['TABLE public.events_*', 'ROW SECURITY public.orders']
  assert.deepEqual(read(named.join('\n')), [true, named])
  assert.deepEqual(read(`true\n${named[0]}`), [true, [named[0]]])
  for (const wrong of ['yes', 'not now', 'TABLE', `false\n${named[0]}`])
    assert.throws(() => read(wrong), /overwrite must be true or false/)
})

test('jobs: auto takes more connections than cores only to a server on another machine', () => {
  const cores = availableParallelism()
  const jobs = (inputs: Record<string, string>) =>
    readInputs(step({ command: 'copy', jobs: 'auto', overwrite: 'true', ...inputs })).jobs
  const near = ['localhost', '127.0.0.1', '[::1]', 'postgres', 'host.docker.internal', '%2Fvar%2Frun']
  const url = (host: string) => `postgres://u@${host}/db`
  for (const host of near)
    assert.equal(jobs({ 'database-url': url(host), 'source-database-url': url('localhost') }), cores, host)
  for (const host of ['db.example.com', '10.1.2.3', '[fd00::1]', 'localhost,db.example.com']) {
    const inputs = { 'database-url': url('localhost'), 'source-database-url': url(host) }
    assert.equal(jobs(inputs), Math.max(cores, 4), host)
    assert.equal(jobs({ ...inputs, jobs: '2' }), 2)
  }
})
