import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { environment, noClient, program, startSessionBench } from '../../../../lab/benches/session-bench.ts'
import { isAlive } from '../../../../lab/processes.ts'
import { tempFolder } from '../../../../lab/temp.ts'
import { checkAssertions } from '../../../../src/database/assertions.ts'
import { ambientConnection } from '../../../../src/database/connection/connection.ts'
import { DatabaseError, identifier, literal, Session } from '../../../../src/database/connection/session.ts'

const HOSTILE = [
  `it's`,
  `''`,
  'a "quoted" name',
  'back\\slash\\',
  `\\'; drop table t; --`,
  'line\nbreak\r\n',
  ':x :\'x\' :"x" :{?x}',
  '$$ $body$ $1',
  '`id` \\! id \\q',
  'é 東京 🐘',
  '/* -- ; %s {}',
  '\\echo x',
  '\t\u0001\u001b',
]

const bench = await startSessionBench()

describe('a session', { skip: noClient }, () => {
  test('rows come back as objects', async () => {
    const session = await bench.open('postgres')
    const rows = await session.query(`
      SELECT 1 AS n, 12345678901 AS big, true AS yes, NULL AS nothing, 'é' AS text, '{"a": [1]}'::json AS json,
             ARRAY['x', NULL] AS list -- a comment at the end`)
    assert.deepEqual(rows, [
      { n: 1, big: 12345678901, yes: true, nothing: null, text: 'é', json: { a: [1] }, list: ['x', null] },
    ])
    assert.deepEqual(await session.query('SELECT 1 WHERE false'), [])
    const many = await session.query<{ n: number }>('SELECT n FROM generate_series(1, 20000) AS n')
    assert.equal(many.at(-1)?.n, 20_000)
    const [wide] = await session.query<{ text: string }>(`SELECT repeat('é', 1000000) AS text`)
    assert.equal(wide?.text.length, 1_000_000)
  })

  test('lines may end as on Windows', async () => {
    const folder = tempFolder('psql')
    const psql = join(folder.path, 'psql')
    const script = `#!/bin/sh\n'${program('psql')}' "$@" | sed -u 's/$/\\r/'\n`
    writeFileSync(psql, script, { mode: 0o755 })
    await using session = await Session.open(bench.connection('postgres'), { psql, environment })
    assert.deepEqual(await session.query("SELECT E'a\\r\\nb' AS text"), [{ text: 'a\r\nb' }])
    await assert.rejects(session.execute('SELECT 1/0'), { sqlstate: '22012', message: 'division by zero' })
    const options = { psql, environment, workspace: folder.path, signal: new AbortController().signal }
    await checkAssertions(['SELECT true', 'VALUES (true), (true)'], bench.connection('postgres'), options)
    await assert.rejects(
      checkAssertions(['VALUES (true), (false)'], bench.connection('postgres'), options),
      /1 of 2 rows is not true/,
    )
  })

  test('no literal and no identifier means anything but itself', async () => {
    const session = await bench.open('postgres')
    await session.execute('CREATE TEMPORARY TABLE t (a text)')
    for (const text of HOSTILE) {
      const [row] = await session.query<{ text: string }>(`SELECT ${literal(text)} AS text`)
      assert.equal(row?.text, text)
      const name = text.slice(0, 40)
      await session.execute(`CREATE TEMPORARY TABLE ${identifier(name)} (${identifier(name)} text)`)
      await session.execute(
        `COMMENT ON COLUMN pg_temp.${identifier(name)}.${identifier(name)} IS ${literal(text)}`,
      )
      assert.deepEqual(await session.query(`SELECT ${identifier(name)} FROM ${identifier(name)}`), [])
    }
    assert.deepEqual(await session.query('SELECT count(*) AS rows FROM t'), [{ rows: 0 }])
  })

  test('an error has its SQLSTATE and its message, and the session goes on', async () => {
    const session = await bench.open('postgres')
    const cases: [string, string, RegExp][] = [
      ['SELECT 1/0', '22012', /^division by zero$/],
      ['SELECT * FROM nowhere', '42P01', /^relation "nowhere" does not exist$/],
      ['SELEC 1', '42601', /syntax error/],
      [`DO $$ BEGIN RAISE 'one\ntwo\n\nthree' USING ERRCODE = 'XX123'; END $$`, 'XX123', /^one two\s+three$/],
      [`DO $$ BEGIN RAISE 'pgclone-' USING ERRCODE = 'XX124'; END $$`, 'XX124', /^pgclone-$/],
      ['DROP DATABASE postgres', '55006', /currently open/],
    ]
    for (const [statement, sqlstate, message] of cases) {
      await assert.rejects(session.execute(statement), (error: DatabaseError) => {
        assert.ok(error instanceof DatabaseError)
        assert.equal(error.sqlstate, sqlstate)
        assert.match(error.message, message)
        return true
      })
    }
    await assert.rejects(session.query('SELECT 1/0 AS n'), /division by zero/)
    assert.deepEqual(await session.query('SELECT 2 AS n'), [{ n: 2 }])
  })

  test('statements stop at the first that fails, transactions are all or nothing', async () => {
    const session = await bench.open('postgres')
    await session.execute('CREATE TEMPORARY TABLE steps (n int)')
    await assert.rejects(
      session.execute('INSERT INTO steps VALUES (1)', 'SELECT 1/0', 'INSERT INTO steps VALUES (2)'),
    )
    await assert.rejects(
      session.transaction('INSERT INTO steps VALUES (3)', 'SELECT 1/0'),
      /division by zero/,
    )
    await session.transaction('INSERT INTO steps VALUES (4)', 'INSERT INTO steps VALUES (5)')
    assert.deepEqual(await session.query('SELECT n FROM steps ORDER BY n'), [{ n: 1 }, { n: 4 }, { n: 5 }])
  })

  test('what is asked at once is answered one after the other', async () => {
    const session = await bench.open('postgres')
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        n % 3 ? session.query(`SELECT ${n} AS n`) : session.query('SELECT 1/0').catch(() => 'failed'),
      ),
    )
    assert.deepEqual(
      answers,
      Array.from({ length: 20 }, (_, n) => (n % 3 ? [{ n }] : 'failed')),
    )
  })

  test('a session is ours alone: settings and files of the job and the role change nothing', async () => {
    const { postgres } = bench
    await postgres.psql('postgres', `create role odd login password 'odd'`)
    for (const setting of [
      'standard_conforming_strings to off',
      'statement_timeout to 50',
      `lc_messages to 'C'`,
    ])
      await postgres.psql('postgres', `alter role odd set ${setting}`)
    writeFileSync(join(environment.HOME, '.psqlrc'), '\\echo hello\n\\set ECHO all\n\\timing\n')
    const session = await bench.open('postgres', { user: 'odd', password: 'odd' })
    const rows = await session.query(
      `SELECT current_user AS role, ${literal('a\\b')} AS text, pg_sleep(0.1)::text AS slept`,
    )
    assert.deepEqual(rows, [{ role: 'odd', text: 'a\\b', slept: '' }])
  })

  test('a session that is ended from outside says so', async () => {
    const session = await bench.open('postgres')
    const [row] = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    await bench.postgres.psql('postgres', `select pg_terminate_backend(${row!.pid})`)
    await assert.rejects(session.query('SELECT 1'), /terminat|was cut/)
    await assert.rejects(session.query('SELECT 1'), /terminat|was cut/)
  })

  test('a cancelled session ends, and so does its program', async () => {
    const cancel = new AbortController()
    const options = { psql: program('psql'), environment, signal: cancel.signal }
    const session = await Session.open(bench.connection('postgres'), options)
    const sleeping = session.query('SELECT pg_sleep(60)')
    setTimeout(() => cancel.abort(), 100)
    await assert.rejects(sleeping)
    await session.close()
    await assert.rejects(session.query('SELECT 1'))
    await assert.rejects(Session.open(bench.connection('postgres'), options), { name: 'AbortError' })
  })

  test('a database may have any name, and a name is never a connection string', async () => {
    for (const name of [
      ...HOSTILE.slice(0, 6),
      'host=192.0.2.1 dbname=postgres',
      'postgres://192.0.2.1/x',
      '-c',
      '',
    ]) {
      const database = name || ' '
      await bench.postgres.createDatabase(database)
      await using session = await Session.open(bench.connection(database), {
        psql: program('psql'),
        environment,
      })
      assert.deepEqual(await session.query('SELECT current_database() AS name'), [{ name: database }])
    }
  })

  test('a service that names a database of its own cannot send us there', async () => {
    const { host, port, user, password } = bench.postgres
    const file = join(environment.HOME, 'services.conf')
    writeFileSync(
      file,
      `[shop]\nhost=${host}\nport=${port}\nuser=${user}\ndbname=template1\n[plain]\nhost=${host}\nport=${port}\nuser=${user}\n`,
    )
    const job = { PATH: environment.PATH, PGSERVICEFILE: file, PGPASSWORD: password, PGDATABASE: 'postgres' }
    const open = (service: string) =>
      Session.open(ambientConnection({ ...job, PGSERVICE: service })!, {
        psql: program('psql'),
        environment: {},
      })
    await assert.rejects(open('shop'), /the service "shop" leads to "template1" and not to "postgres"/)
    await using session = await open('plain')
    assert.deepEqual(await session.query('SELECT current_database() AS name'), [{ name: 'postgres' }])
  })

  test('whether a pattern finds anything is decided as psql decides it, and nothing else happens', async () => {
    const { postgres } = bench
    await postgres.createDatabase('patterns')
    for (const sql of [
      'create table plain ()',
      'create schema "Mixed"',
      'create table "Mixed"."Order" ()',
      'create view seen as select 1',
      'create materialized view kept as select 1',
      'create sequence counter',
      'create table part (a int) partition by list (a)',
      `create table "it's"()`,
    ])
      await postgres.psql('patterns', sql)
    const session = await bench.open('patterns')
    const canary = join(environment.HOME, 'canary')
    const found = [
      'plain',
      'pl*',
      'PLAIN',
      'public.*',
      '"Mixed"."Order"',
      '"Mixed".*',
      '*."Order"',
      'seen',
      'kept',
      'counter',
      'part',
      'p(lain|art)',
      `it's`,
      `"it's"`,
    ]
    const missing = [
      '"Plain"',
      'Mixed.Order',
      '"Mixed".order',
      'Order',
      'nowhere',
      'public.nowhere',
      'plain extra',
      '\\q',
      `\`touch ${canary}\``,
      `' \`touch ${canary}\` '`,
      ':x',
      'a.b.c.d',
      '"open',
    ]
    for (const pattern of found)
      assert.equal((await session.list('relations', pattern)).length > 0, true, pattern)
    for (const pattern of missing)
      assert.equal((await session.list('relations', pattern)).length > 0, false, pattern)
    for (const [pattern, exists] of [
      ['public', true],
      ['"Mixed"', true],
      ['Mixed', false],
      ['pub*', true],
      ['nope', false],
    ] as const)
      assert.equal((await session.list('schemas', pattern)).length > 0, exists, pattern)
    assert.throws(() => writeFileSync(canary, '', { flag: 'r' }), /ENOENT/, 'a command was run')
  })

  test('closing a session ends its program', async () => {
    const session = await Session.open(bench.connection('postgres'), { psql: program('psql'), environment })
    const [row] = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    await session.close()
    for (let tries = 0; tries < 50 && isAlive(row!.pid); tries += 1)
      await new Promise((done) => setTimeout(done, 20))
    assert.equal(isAlive(row!.pid), false)
  })
})
