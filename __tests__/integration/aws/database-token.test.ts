import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, startBench } from '../../../lab/benches/action-bench.ts'
import { type Rds, startRds } from '../../../lab/postgres/rds.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tokenRequest } from '../../../src/aws/database-token.ts'
import { parseDatabaseUrl } from '../../../src/database/connection/database-url.ts'

let bench: Bench
let rds: Rds
before(async () => {
  bench = await startBench()
  const { postgres } = bench
  await postgres.createDatabase('shop')
  await postgres.psql('shop', 'create table items as select generate_series(1, 1000) as id')
  // The double has checked the token; behind it, everybody may come in.
  writeFileSync(join(postgres.dataDir, 'pg_hba.conf'), 'host all all 127.0.0.1/32 trust\n')
  await postgres.psql('postgres', 'select pg_reload_conf()')
  rds = await startRds(postgres)
})
after(async () => {
  await rds[Symbol.asyncDispose]()
  await bench[Symbol.asyncDispose]()
})

const url = (database: string, more = '') =>
  `postgres://postgres@${rds.host}:${rds.port}/${database}?sslmode=verify-full&sslrootcert=${rds.certificateFile}${more}`

test('a dump, a restore and a hook of it connect with tokens of IAM, which nobody gets to see', async () => {
  const inputs = { 'rds-iam-auth': 'true', 'storage-location': bench.folder }
  const keys = bench.s3.config.replaceAll(/^AWS_(?:DEFAULT_)?REGION=.*$/gm, '')
  const hook = 'psql -XAtc "select count(*) from items" && printenv DATABASE_URL | grep -q X-Amz-Signature'
  const dumped = succeeded(
    await bench.run('dump', 's3', '', {
      ...{ ...inputs, 'database-url': url('shop'), 'pre-dump-hooks': hook },
      's3-config': `${keys}\nAWS_REGION=eu-north-1`,
    }),
  )
  const ofDump = rds.passwords.length
  const restored = succeeded(
    await bench.run('restore', 's3', '', {
      ...{ ...inputs, 'database-url': url('copy'), 'dump-key': dumped.outputs['dump-key']! },
      's3-config': `${keys}\nAWS_DEFAULT_REGION=eu-west-2`,
    }),
  )
  // Either variable for the region is read.
  const isFor = (region: string) => (token: string) => token.includes(`${region}%2Frds-db`)
  assert.ok(rds.passwords.slice(0, ofDump).every(isFor('eu-north-1')))
  assert.ok(rds.passwords.slice(ofDump).every(isFor('eu-west-2')))
  assert.equal(restored.outputs['row-count'], '1000')
  assert.ok(rds.passwords.length > 8, `${rds.passwords.length} connections`)
  for (const run of [dumped, restored]) {
    assert.match(run.visibleLog, /is a token from IAM, for "postgres"/)
    const tokens = rds.passwords.filter((token) => run.masks.includes(token))
    assert.ok(tokens.length > 0)
    for (const token of tokens) {
      const signature = token.slice(-40)
      assert.ok(!run.visibleLog.includes(signature))
      assert.ok(run.commandLines.every((line) => !line.includes(signature)))
    }
  }
})

test('what a token needs is said before any program starts', async () => {
  const dump = (database: string, more = {}) =>
    bench.run('dump', 's3', '', { 'rds-iam-auth': 'true', 'database-url': database, ...more })
  failed(
    await dump(bench.postgres.url('shop')),
    /rds-iam-auth is true, but every database URL .* already has a password/,
  )
  failed(
    await dump(`postgres://postgres@${rds.host}:${rds.port}/shop`, { 'aws-region': 'eu-central-1' }),
    /accepts over TLS only: add sslmode=verify-full .* to database-url/,
  )
})

test('host, port, user and region of a token come from the connection', () => {
  const request = (rest: string, otherwise: string | null = null) =>
    tokenRequest('database-url', parseDatabaseUrl(`postgres://${rest}`), otherwise)
  const host = 'shop.abc123.eu-west-1.rds.amazonaws.com'
  const expected = { host, port: '5432', user: 'app', region: 'eu-west-1' }
  assert.deepEqual(request(`app@${host}/shop?sslmode=require`, 'us-east-1'), expected)
  const china = 'shop.abc.rds.cn-north-1.amazonaws.com.cn'
  assert.equal(request(`app@${china}/shop?sslmode=require`).region, 'cn-north-1')
  assert.equal(request('app@db.example:6000/shop?sslmode=verify-ca', 'eu-west-3').port, '6000')
  const wrong: [string, RegExp][] = [
    [`app@${host}/shop`, /over TLS only/],
    [`app@${host}/shop?sslmode=prefer`, /over TLS only/],
    [`${host}/shop?sslmode=require`, /needs a user name/],
    [`app@one,two/shop?sslmode=require`, /the one host name/],
    ['app@db.example/shop?sslmode=require', /needs the region of the database.*set aws-region/],
  ]
  for (const [rest, sentence] of wrong) assert.throws(() => request(rest), sentence, rest)
})
