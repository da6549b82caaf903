import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { environment, noClient, program, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { EVERYTHING } from '../../../lab/postgres/whole-database.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { clientEnvironment } from '../../../src/database/connection/connection.ts'
import { dumpArguments, dumpFilters, startDump } from '../../../src/database/pg-dump.ts'
import { resolveFilters } from '../../../src/database/selection.ts'

test('what pg_dump is told', () => {
  const base = ['--format=custom', '--no-password', '--lock-wait-timeout=60000']
  const cases: [Partial<Parameters<typeof dumpArguments>[0]>, string[]][] = [
    [{}, base],
    [{ schemaOnly: true }, [...base, '--schema-only']],
    [{ tables: ['a*', '"B b"'] }, [...base, '--strict-names', '--table=a*', '--table="B b"']],
    [{ schemas: ['s'] }, [...base, '--strict-names', '--schema=s']],
    [
      { excludeTables: ['-x'], excludeSchemas: ['$(id)'], excludeTableData: ['logs'] },
      [...base, '--exclude-table=-x', '--exclude-schema=$(id)', '--exclude-table-data=logs'],
    ],
    [{ pgDumpArgs: ['--no-comments'] }, [...base, '--no-comments']],
  ]
  for (const [contents, expected] of cases) {
    assert.deepEqual(dumpArguments({ ...EVERYTHING, ...contents }, 'pg_dump'), expected)
    const ours = dumpArguments({ ...EVERYTHING, ...contents }, 'action')
    assert.deepEqual(
      ours.filter((argument) => argument !== '--compress=0'),
      expected,
    )
    assert.equal(ours.length, expected.length + 1)
  }
})

test('the manifest names the filters that were given', () => {
  assert.deepEqual(dumpFilters(EVERYTHING), {})
  const given = { tables: ['a'], excludeTableData: ['logs'], schemaOnly: true, pgDumpArgs: ['--no-comments'] }
  assert.deepEqual(dumpFilters({ ...EVERYTHING, ...given }), given)
})

const bench = await startSessionBench()

describe('a dump', { skip: noClient }, () => {
  const start = (database: string, contents: Partial<typeof EVERYTHING> = {}, name = program('pg_dump')) =>
    startDump(
      name,
      dumpArguments({ ...EVERYTHING, ...contents }, 'action'),
      clientEnvironment(bench.connection(database), environment),
    )

  test('is refused when one of its patterns finds nothing', async () => {
    await bench.postgres.psql(
      'postgres',
      'create schema "Mixed"; create table "Mixed"."Order" (); create table logs (); create table orders ()',
    )
    const session = await bench.open('postgres')
    const canary = join(environment.HOME, 'canary')
    await resolveFilters(session, EVERYTHING)
    await resolveFilters(session, {
      ...EVERYTHING,
      tables: ['orders', '"Mixed"."Order"', 'ord*'],
      excludeTables: ['public.logs'],
      schemas: ['"Mixed"'],
      excludeTableData: ['*.logs'],
    })
    const wrong = resolveFilters(session, {
      ...EVERYTHING,
      tables: ['orders', 'order'],
      excludeTables: ['Mixed.Order'],
      excludeSchemas: ['mixed'],
      excludeTableData: [`\`touch ${canary}\``, 'logs'],
    })
    await assert.rejects(wrong, {
      message: new RegExp(
        `matches tables: order, exclude-tables: Mixed.Order, exclude-schemas: mixed, exclude-table-data: \`touch ${canary}\` \\(names with capitals`,
      ),
    })
    assert.throws(() => writeFileSync(canary, '', { flag: 'r' }), /ENOENT/, 'a command was run')
  })

  test('is an archive of the database, whatever its name', async () => {
    const name = `host=192.0.2.1 dbname=postgres`
    await bench.postgres.createDatabase(name)
    await bench.postgres.psql(name, 'create table here as select 1 as n')
    const source = start(name)
    const archive = await buffer(source.stream)
    await source.finish()
    assert.equal(archive.subarray(0, 5).toString(), 'PGDMP')
    assert.ok(archive.includes('here'))
  })

  test('that fails says why', async () => {
    await bench.postgres.psql(
      'postgres',
      `create role blind login password 'pw'; revoke all on orders from public`,
    )
    const locked = await bench.postgres.connect('postgres')
    await locked.query('begin; lock table orders in access exclusive mode')
    const lock = start('postgres', { lockWaitTimeout: 100 })
    await buffer(lock.stream)
    await assert.rejects(
      lock.finish(),
      /waited too long for a table that another session has locked; .*lock-wait-timeout/,
    )
    await locked.end()

    const blind = startDump(
      program('pg_dump'),
      dumpArguments(EVERYTHING, 'action'),
      clientEnvironment(bench.connection('postgres', { user: 'blind', password: 'pw' }), environment),
    )
    await buffer(blind.stream)
    await assert.rejects(blind.finish(), /may not read everything: permission denied for .*pg_read_all_data/)

    await bench.postgres.createDatabase('scans')
    await bench.postgres.psql(
      'scans',
      `create role backup login password 'pw'; grant pg_read_all_data to backup; select lo_from_bytea(290001, 'contract')`,
    )
    const asBackup = async (...pgDumpArgs: string[]) => {
      const reader = startDump(
        program('pg_dump'),
        dumpArguments({ ...EVERYTHING, pgDumpArgs }, 'action'),
        clientEnvironment(bench.connection('scans', { user: 'backup', password: 'pw' }), environment),
      )
      await buffer(reader.stream)
      await reader.finish()
    }
    const advice = /may not read large object 290001, .*GRANT SELECT ON LARGE OBJECT 290001 .*--no-blobs/
    await assert.rejects(asBackup(), advice)
    await asBackup('--no-blobs')
    await bench.postgres.psql('scans', 'grant select on large object 290001 to backup')
    await asBackup()

    const missing = start('postgres', {}, '/nowhere/pg_dump')
    await assert.rejects(missing.finish(), /pg_dump could not be started/)
  })

  test('that is cut off or cancelled by the server says so', async () => {
    await using folder = tempFolder()
    const cases: [string, RegExp][] = [
      ['pg_dump: error: server closed the connection unexpectedly', /was cut in the middle of the dump/],
      [
        'pg_dump: detail: Error message from server: ERROR:  canceling statement due to conflict with recovery',
        /standby cancelled the dump.*max_standby_streaming_delay/,
      ],
      ['pg_dump: error: something else', /^pg_dump ended with exit code 1: pg_dump: error: something else$/],
    ]
    for (const [message, sentence] of cases) {
      const fake = join(folder.path, 'pg_dump')
      writeFileSync(fake, `#!/bin/sh\necho '${message}' >&2\nexit 1\n`, { mode: 0o755 })
      const source = start('postgres', {}, fake)
      source.stream.resume()
      await assert.rejects(source.finish(), { message: sentence })
    }
  })

  test('that is aborted ends', async () => {
    const locked = await bench.postgres.connect('postgres')
    await locked.query('begin; lock table orders in access exclusive mode')
    const source = start('postgres')
    await source.abort()
    await assert.rejects(source.finish(), /SIGTERM|SIGKILL/)
    await locked.end()
  })
})
