import assert from 'node:assert/strict'
import { appendFileSync, chmodSync, chownSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { environment, noClient, program, startSessionBench } from '../../../../lab/benches/session-bench.ts'
import { selfSignedCertificate } from '../../../../lab/certificate.ts'
import { explainConnection } from '../../../../src/database/connection/connection-errors.ts'
import { parseDatabaseUrl } from '../../../../src/database/connection/database-url.ts'
import { Session } from '../../../../src/database/connection/session.ts'

test('what is not known is not explained', () => {
  assert.equal(explainConnection('psql: error: something new', 'host/db'), null)
})

test('a Unix socket whose door is closed is not about TLS', () => {
  const local =
    'psql: error: connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed: FATAL:  no pg_hba.conf entry for host "[local]", user "app", database "shop", no encryption'
  assert.match(explainConnection(local, 'x') ?? '', /does not accept user "app" over its Unix socket/)
  const ldap = 'FATAL:  LDAP authentication failed for user "app"'
  assert.match(explainConnection(ldap, 'x') ?? '', /the LDAP authentication of the server does not accept/)
})

test('a server that lets nobody in does not ask for TLS, which was tried', () => {
  const refused = (how: string) =>
    `psql: error: connection to server at "db.example.com" (192.0.2.1), port 5432 failed: FATAL:  no pg_hba.conf entry for host "198.51.100.7", user "app", database "shop", ${how}`
  const both = `${refused('SSL encryption')}\n${refused('no encryption').slice('psql: error: '.length)}`
  assert.match(explainConnection(both, 'x') ?? '', /does not accept user "app" from 198\.51\.100\.7/)
  assert.match(explainConnection(refused('SSL encryption'), 'x') ?? '', /does not accept user "app"/)
  assert.match(explainConnection(refused('no encryption'), 'x') ?? '', /requires TLS/)
})

const bench = await startSessionBench()
const { postgres } = bench

describe('a connection that fails', { skip: noClient }, () => {
  const sockets = new Set<Socket>()
  const silent = createServer((socket) => sockets.add(socket))
  const rude = createServer((socket) =>
    socket.on('error', () => undefined).once('data', () => socket.resetAndDestroy()),
  )
  const portOf = (server: typeof silent) => (server.address() as AddressInfo).port

  before(async () => {
    for (const server of [silent, rude])
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    await postgres.createDatabase('closed', 'allow_connections false')
    await postgres.createDatabase('full', 'connection limit 0')
    await postgres.createDatabase('private')
    await postgres.psql(
      'postgres',
      `create role "Plain ""role""" login password 'plain-canary'; create role app login password 'app'; revoke connect on database private from public`,
    )
  })
  after(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
    rude.close()
  })

  async function fails(url: string, sentence: RegExp): Promise<void> {
    const connection = parseDatabaseUrl(url)
    const attempt = Session.open(connection, { psql: program('psql'), environment })
    await assert.rejects(attempt, ({ message }: Error) => {
      assert.match(message, sentence)
      assert.ok(message.startsWith(`Cannot connect to ${connection.label}: `), message)
      assert.ok(!message.includes(postgres.canary) && !message.includes('canary'), message)
      return true
    })
  }

  test('says in one sentence what is wrong', async () => {
    const { port } = postgres
    const cases: [string, RegExp][] = [
      [postgres.url('postgres', { password: 'wrong-canary' }), /wrong password for user "postgres"/],
      [postgres.url('postgres', { user: 'nobody here' }), /wrong password for user "nobody here"/],
      [`postgres://postgres@127.0.0.1:${port}/postgres`, /requires a password; add it/],
      [postgres.url('no "such" one'), /there is no database "no "such" one"/],
      [postgres.url('postgres', { host: 'no-such-host.invalid' }), /no host named "no-such-host\.invalid"/],
      [postgres.url('postgres', { port: 1 }), /no server listens there/],
      [`postgres://u@%2Fnowhere:${port}/postgres`, /no server at that Unix socket/],
      [postgres.url('closed'), /"closed" is closed to connections/],
      [postgres.url('full', { user: 'app', password: 'app' }), /no free connection/],
      [postgres.url('private', { user: 'app', password: 'app' }), /may not connect to "private"/],
      [postgres.url('postgres', { parameters: { sslmode: 'require' } }), /does not offer TLS/],
      [
        postgres.url('postgres', { port: portOf(silent), parameters: { connect_timeout: '2' } }),
        /no answer in time/,
      ],
      [postgres.url('postgres', { port: portOf(rude), parameters: { sslmode: 'disable' } }), /was cut/],
    ]
    await Promise.all(cases.map(([url, sentence]) => fails(url, sentence)))
  })

  test('tells a demand for TLS from a closed door', async () => {
    const { uid, gid } = statSync(postgres.dataDir)
    const { key, cert } = selfSignedCertificate('127.0.0.1')
    for (const [name, text] of [
      ['server.key', key],
      ['server.crt', cert],
    ] as const) {
      const path = join(postgres.dataDir, name)
      writeFileSync(path, text)
      chmodSync(path, 0o600)
      if (process.getuid?.() === 0) chownSync(path, uid, gid)
    }
    await postgres.psql('postgres', 'alter system set ssl to on')
    const rules = join(postgres.dataDir, 'pg_hba.conf')
    const old = readFileSync(rules, 'utf8')
    writeFileSync(
      rules,
      'local all app peer\nhost all postgres 127.0.0.1/32 scram-sha-256\nhostssl all app 127.0.0.1/32 scram-sha-256\n',
    )
    appendFileSync(rules, old.replaceAll(/^(host.*)\ball(\s+)all\b/gm, '$1nowhere$2all'))
    await postgres.psql('postgres', 'select pg_reload_conf()')
    const app = { user: 'app', password: 'app' }
    const verify = { sslmode: 'verify-full', sslrootcert: '/nowhere/ca.pem' }
    const tls = postgres.url('postgres', { ...app, parameters: { sslmode: 'require' } })
    await using session = await Session.open(parseDatabaseUrl(tls), { psql: program('psql'), environment })
    assert.deepEqual(await session.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'), [
      { ssl: true },
    ])
    await fails(
      postgres.url('postgres', { ...app, parameters: { sslmode: 'disable' } }),
      /requires TLS; add sslmode=require/,
    )
    await fails(
      postgres.url('postgres', { user: 'stranger', password: 'x' }),
      /does not accept user "stranger" from 127/,
    )
    await fails(
      `postgres://app:app@${encodeURIComponent(postgres.socketDir)}:${postgres.port}/postgres`,
      /only the user of the operating system \(peer authentication\), which is not "app"; connect over TCP/,
    )
    await fails(postgres.url('postgres', { ...app, parameters: verify }), /TLS certificate was not accepted/)
  })
})
