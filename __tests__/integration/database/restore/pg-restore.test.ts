import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, test } from 'node:test'
import { entry } from '../../../../lab/archive/toc-entry.ts'
import { environment, noClient, program, startSessionBench } from '../../../../lab/benches/session-bench.ts'
import { tempFolder } from '../../../../lab/temp.ts'
import { clientEnvironment } from '../../../../src/database/connection/connection.ts'
import { ErrorJudge } from '../../../../src/database/restore/error-judge.ts'
import {
  type RestoreInputs,
  restoreArguments,
  startRestore,
  untilClosed,
} from '../../../../src/database/restore/pg-restore.ts'
import type { Sink } from '../../../../src/process/transfer.ts'

const plain: RestoreInputs = { ownerAndAcl: false, pgRestoreArgs: [], tolerateErrors: [] }

test('what pg_restore is told', () => {
  const base = ['--format=custom', '--no-password']
  assert.deepEqual(restoreArguments(plain), [...base, '--no-owner', '--no-acl'])
  assert.deepEqual(restoreArguments({ ...plain, ownerAndAcl: true, pgRestoreArgs: ['--no-comments'] }), [
    ...base,
    '--no-comments',
  ])
})

/** What the judge says to some messages and the exit code after them. */
function judge(messages: string[], code: number, tolerated: RegExp[] = [], parallel = false) {
  const one = new ErrorJudge(tolerated, { parallel, entries: () => [] })
  for (const message of messages) one.read(message)
  return { accepts: one.accepts(code), fatal: one.fatal }
}

test('the judge lets pass what is known and tolerated, and nothing else', () => {
  const entry = 'pg_restore: from TOC entry 215; 1259 16397 TABLE t app'
  const error = (text: string) => `pg_restore: error: could not execute query: ERROR:  ${text}`
  const ignored = (count: number) => `pg_restore: warning: errors ignored on restore: ${count}`
  const timeout = error('unrecognized configuration parameter "transaction_timeout"')
  const cron = error('extension "pg_cron" is not available')
  const cases: [string[], number, RegExp[], boolean][] = [
    [[], 0, [], true],
    [['pg_restore: warning: restored with care'], 0, [], true],
    [[], 1, [], false],
    [[ignored(1)], 1, [], false],
    [[timeout, ignored(1)], 1, [], true],
    [[timeout, ignored(2)], 1, [], false],
    [[timeout], 1, [], false],
    [
      [error('must be owner of extension plpgsql'), error('schema "public" already exists'), ignored(2)],
      1,
      [],
      true,
    ],
    [[cron, ignored(1)], 1, [], false],
    [[cron, ignored(1)], 1, [/extension "pg_cron"/], true],
    [[cron, timeout, ignored(2)], 1, [/extension "pg_cron"/], true],
    [[cron, error('relation "t" already exists'), ignored(2)], 1, [/extension "pg_cron"/], false],
    [['pg_restore: fatal: unsupported version (1.16) in file header'], 1, [/./], false],
    [[cron], 0, [], false],
    [[timeout, ignored(1)], 2, [], false],
  ]
  for (const [messages, code, tolerated, accepted] of cases) {
    assert.equal(judge(messages, code, tolerated).accepts, accepted, `${messages.join(' / ')} → ${code}`)
  }
  assert.equal(
    judge([entry, cron], 1).fatal,
    'could not execute query: ERROR:  extension "pg_cron" is not available [in TABLE t app]',
  )
})

test('with several jobs, the messages count and not the number that pg_restore tells', () => {
  const timeout =
    'pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"'
  const schema = 'pg_restore: error: could not execute query: ERROR:  schema "public" already exists'
  const ignored = (count: number) => `pg_restore: warning: errors ignored on restore: ${count}`
  const cases: [string[], boolean][] = [
    [[timeout, ignored(1)], true],
    [[timeout, timeout, ignored(9)], true],
    [[timeout, timeout, ignored(1)], true],
    [[`pg_restore:${timeout}`, timeout.replace('pg_restore:', ''), ignored(2)], true],
    [[`pg_restore:${timeout}`, ' error: could not execute query: ERROR:  syntax error', ignored(3)], false],
    [[timeout, `pg_restore: ${timeout}`, ignored(2)], true],
    [
      [timeout, `pg_restore: error: ${timeout}`, 'could not execute query: ERROR:  syntax error', ignored(3)],
      false,
    ],
    [[`pg_restore: ${timeout}`, 'error: could not execute query: ERROR:  syntax error', ignored(3)], false],
    [
      [
        timeout,
        'pg_restore: error: pg_restore: error: could not execute query: ERROR:  syntax error',
        ignored(3),
      ],
      false,
    ],
    [[timeout, schema, ignored(2)], true],
    [[timeout, schema, ignored(0)], false],
    [[timeout, schema, `pg_restore: ${schema}`, ignored(3)], true],
    [[timeout, 'pg_restore: error: a worker process died unexpectedly', ignored(9)], false],
  ]
  for (const [messages, accepted] of cases) {
    assert.equal(judge(messages, 1, [], true).accepts, accepted, messages.join(' / '))
  }
})

test('the statement decides which entry failed, and lines of two workers do not garble it', () => {
  const index = (dumpId: number, tag: string) =>
    entry({
      dumpId,
      desc: 'INDEX',
      tag,
      namespace: 'public',
      definition: `CREATE INDEX ${tag} ON\n  public.t;\n`,
    })
  const entries = [index(7, 'first'), index(8, 'second')]
  const messages = [
    ...[
      'pg_restore: from TOC entry 7; 1259 1 INDEX first app',
      'pg_restore: from TOC entry 8; 1259 2 INDEX second app',
    ],
    'pg_restore: pg_restore: error: error: could not execute query: ERROR:  no space',
    ...['DETAIL:  Key (a)=(canary).', 'Command was: CREATE INDEX first ON', '  public.t;', '', ''],
    ...['could not execute query: ERROR:  other', 'Command was: CREATE INDEX second ON'],
  ]
  const one = new ErrorJudge([], { parallel: true, entries: () => entries })
  for (const message of messages) one.read(message)
  assert.equal(
    one.fatal,
    'could not execute query: ERROR:  no space [in INDEX public.first: CREATE INDEX first ON public.t;]',
  )
})

test('an error of data names the table with its schema, or the tables that may be meant', () => {
  const data = (namespace: string, tag: string) => entry({ desc: 'TABLE DATA', tag, namespace })
  const entries = [data('a', 'orders'), data('b', 'orders'), data('a', 'items')]
  const said = (table: string) => {
    const one = new ErrorJudge([], { parallel: false, entries: () => entries })
    one.read(`pg_restore: error: COPY failed for table "${table}": ERROR:  no space`)
    return one.fatal
  }
  assert.match(said('items')!, /\[in TABLE DATA a\.items\]$/)
  assert.match(said('orders')!, /\[in TABLE DATA a\.orders or TABLE DATA b\.orders\]$/)
})

test('no row shows in what the judge says', () => {
  const error =
    'pg_restore: error: COPY failed for table "t": ERROR:  invalid input syntax for type integer: "canary"'
  assert.match(judge([error], 1).fatal ?? '', /^COPY failed for table "t".*hidden/)
  assert.doesNotMatch(judge([error], 1).fatal ?? '', /canary/)
})

test('a reader that has all it wants is no failure', async () => {
  const reader = new Writable({ write: (_chunk, _encoding, done) => done() })
  const all = untilClosed(reader)
  all.write('read')
  reader.destroy()
  for (let count = 0; count < 100; count += 1) all.write(Buffer.alloc(1 << 16))
  await new Promise((written) => all.write('not read', written))
  assert.equal(all.errored, null)
})

const bench = await startSessionBench()

describe('a restore', { skip: noClient }, () => {
  const folder = tempFolder('archives')

  /** An archive of a new database with these contents. */
  async function archiveOf(name: string, ...statements: string[]): Promise<string> {
    await bench.postgres.createDatabase(name)
    for (const sql of statements) await bench.postgres.psql(name, sql)
    const path = join(folder.path, `${name}.dump`)
    const { code, stderr } = await bench.run('pg_dump', name, ['-Fc', '-f', path])
    assert.equal(code, 0, stderr)
    return path
  }

  async function into(name: string, archive: string, end: (sink: Sink) => Promise<void>, inputs = plain) {
    const env = clientEnvironment(bench.connection(name), environment)
    const sink = startRestore(program('pg_restore'), { inputs, env, entries: () => [] })
    await pipeline(createReadStream(archive), sink.stream, { end: false })
    await end(sink)
  }
  const commit = (sink: Sink) => sink.commit()

  test('brings everything back, into a database of any name', async () => {
    const archive = await archiveOf('model', 'create table t as select n from generate_series(1, 1000) n')
    for (const name of ['copy', `host=192.0.2.1 dbname='model'`]) {
      await bench.postgres.createDatabase(name)
      await into(name, archive, commit)
      assert.equal(await bench.postgres.psql(name, 'select count(*) from t'), '1000', name)
    }
  })

  test('stops at an error that may not pass', async () => {
    const archive = await archiveOf('taken model', 'create table t as select 1 as n', 'create table u ()')
    await bench.postgres.createDatabase('taken')
    await bench.postgres.psql('taken', 'create table t ()')
    const failure = /pg_restore failed: .*relation "t" already exists/
    await assert.rejects(into('taken', archive, commit), failure)
    await assert.rejects(
      into('taken', archive, async (sink) => {
        throw await sink.died
      }),
      failure,
    )
    await assert.rejects(into('no such', archive, commit), /database "no such" does not exist/)
  })

  test('passes errors that the user tolerates, each of them', async () => {
    const archive = await archiveOf('extended', 'create extension citext', 'create table t as select 1 as n')
    await bench.postgres.psql('postgres', `create role app login password 'app'`)
    await bench.postgres.createDatabase('other', 'owner app')
    await bench.postgres.psql('other', 'create table t (n int, extra int default 5)')
    const some = { ...plain, tolerateErrors: [/relation "t" already exists/] }
    await into('other', archive, commit, some)
    assert.equal(await bench.postgres.psql('other', 'select n, extra from t'), '1|5')
  })

  test('fails for an archive that is cut, and keeps its rows to itself', async () => {
    const archive = await archiveOf('secretive', `create table t as select 'canary' as a`)
    await bench.postgres.createDatabase('typed')
    await bench.postgres.psql('typed', 'create table t (a int)')
    const tolerant = { ...plain, tolerateErrors: [/relation "t" already exists/] }
    await assert.rejects(into('typed', archive, commit, tolerant), ({ message }: Error) => {
      assert.match(message, /COPY failed for table "t"/)
      assert.doesNotMatch(message, /canary/)
      return true
    })
    const sink = startRestore(program('pg_restore'), {
      inputs: plain,
      env: clientEnvironment(bench.connection('postgres'), environment),
      entries: () => [],
    })
    sink.stream.write('PGDMP')
    await assert.rejects(sink.commit(), /pg_restore/)
  })

  test('that is aborted ends', async () => {
    const sink = startRestore(program('pg_restore'), {
      inputs: plain,
      env: clientEnvironment(bench.connection('postgres'), environment),
      entries: () => [],
    })
    await sink.abort()
    assert.match((await sink.died).message, /SIGTERM|SIGKILL/)
  })
})
