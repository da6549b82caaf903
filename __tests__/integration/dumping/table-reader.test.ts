/** Sessions that read a table by ranges of its pages, beside pg_dump, which reads it over one connection. */
import assert from 'node:assert/strict'
import { createWriteStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { after, before, test } from 'node:test'
import { environment, noClient, program, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { EVERYTHING } from '../../../lab/postgres/whole-database.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { JoinedArchive } from '../../../src/archive/archive.ts'
import { clientEnvironment } from '../../../src/database/connection/connection.ts'
import type { LargeTable } from '../../../src/database/large-tables.ts'
import { dumpArguments, startDump, untilFinished } from '../../../src/database/pg-dump.ts'
import { exportSnapshot } from '../../../src/database/snapshot.ts'
import { pageRead, planPageReads } from '../../../src/dumping/page-reads.ts'
import { startTableReaders, type TableRead } from '../../../src/dumping/table-reader.ts'
import { killAllChildren } from '../../../src/process/child.ts'

const bench = await startSessionBench()
const { postgres } = bench
const scope = new AsyncDisposableStack()
const folder = scope.use(tempFolder('reader')).path
after(() => {
  killAllChildren()
  return scope.disposeAsync()
})

const SCHEMA = 'Größe \\ "S"'
const NAMES = ['Käse', 'empty', 'parent']

before(async () => {
  for (const encoding of ['UTF8', 'LATIN1']) {
    const database = encoding.toLowerCase()
    await postgres.createDatabase(
      database,
      `template template0 encoding '${encoding}' lc_collate 'C' lc_ctype 'C'`,
    )
    await postgres.psql(
      database,
      `set client_encoding = 'UTF8'; create schema "Größe \\ ""S"""; set search_path = "Größe \\ ""S""";
       create table "Käse" (n int, gone int, "é ""t""" text, twice int generated always as (n * 2) stored,
         f float8, at timestamptz, i interval, d date, b bytea, r regclass);
       alter table "Käse" alter "é ""t""" set storage external, drop column gone;
       insert into "Käse" (n, "é ""t""", f, at, i, d, b, r)
       select n, case n % 5 when 0 then E'\\\\.' when 1 then E'é\\r\\n\\t\\\\' when 2 then null when 3 then repeat('ü', n * 40) else '' end,
         random() / 3, now(), '1 day', '2026-01-31', decode(md5(n::text), 'hex'), 'pg_class'
       from generate_series(1, 500) as n;
       delete from "Käse" where n between 100 and 200;
       create table empty (a int); create table parent (a int); create table child () inherits (parent);
       insert into parent select generate_series(1, 1000); insert into child values (-1)`,
    )
  }
  await postgres.psql(
    'postgres',
    `alter database utf8 set datestyle = 'German'; alter database utf8 set extra_float_digits = 0;
     alter database utf8 set quote_all_identifiers = on; alter database latin1 set enable_tidscan = off`,
  )
})

async function largeTables(database: string): Promise<LargeTable[]> {
  const session = await bench.open(database)
  const rows = await session.query<{ oid: string; name: string }>(
    `SELECT c.oid::text AS oid, c.relname AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname LIKE '%"S"' AND c.relkind = 'r'`,
  )
  return NAMES.map((name) => {
    const { oid } = rows.find((row) => row.name === name)!
    return { oid, schema: SCHEMA, name, bytes: 1, pattern: `*.*${name.slice(2)}`, hasPages: true }
  })
}

const env = (database: string) => clientEnvironment(bench.connection(database), environment)

/** Starts readers of whole tables in one snapshot. */
async function start(database: string, change = (read: TableRead) => read) {
  const tables = await largeTables(database)
  await using snapshot = await exportSnapshot(await bench.open(database), tables)
  const reads = await planPageReads(snapshot.session, tables)
  return await startTableReaders(reads.map(change), {
    ...{ psql: program('psql'), env: env(database), serverMajor: 15, snapshot: snapshot.id },
    ...{ connections: 3, signal: AbortSignal.timeout(60_000) },
  })
}

/** One page a share, to have many of them. */
const byPage = (read: TableRead): TableRead => {
  const pages = 40
  return {
    ...read,
    ...pageRead(
      { ...read.table, bytes: 1, pattern: '', hasPages: true },
      { pages, bytes: 4_194_304 * pages, columns: [...read.columns] },
    ),
  }
}

async function script(database: string, path: string): Promise<string> {
  const file = `${path}.sql`
  const { code, stderr } = await bench.run('pg_restore', database, [`--file=${file}`, path])
  assert.equal(code, 0, stderr)
  return readFileSync(file, 'latin1')
}

for (const database of ['utf8', 'latin1']) {
  test(`what several sessions read is what pg_dump reads, in ${database}`, { skip: noClient }, async () => {
    const alone = join(folder, `${database}-alone`)
    const dumped = await bench.run('pg_dump', database, ['--format=custom', `--file=${alone}`])
    assert.equal(dumped.code, 0, dumped.stderr)
    const expected = await script(database, alone)
    const tables = await largeTables(database)
    const without = tables.map(({ name }) => `*.${name === 'Käse' ? '"K"*' : name}`)
    for (const change of [(read: TableRead) => read, byPage]) {
      const readers = await start(database, change)
      const args = dumpArguments({ ...EVERYTHING, excludeTableData: without }, 'action')
      const main = untilFinished(startDump(program('pg_dump'), args, env(database)))
      const archive = await JoinedArchive.open([main, readers.archive], {
        ...{ compression: { method: 'gzip' }, jobs: 2, folder, bytesOf: () => 1 },
        shared: new Set(tables.map(({ oid }) => oid)),
      })
      const path = join(folder, `${database}-joined`)
      await pipeline(archive.output(), createWriteStream(path))
      const rows = archive.report.tables.map(({ schema, name, rows }) => `${schema}.${name}: ${rows}`)
      assert.deepEqual(rows.sort(), [
        `${SCHEMA}.Käse: 399`,
        `${SCHEMA}.child: 1`,
        `${SCHEMA}.empty: 0`,
        `${SCHEMA}.parent: 1000`,
      ])
      // Entries may be in another order, and all names of the COPY statement are quoted.
      const blocks = (text: string) =>
        text
          .replace(/^\\(un)?restrict .*$/gm, '')
          .replace(/^COPY .*$/gm, (copy) => copy.replaceAll('"', ''))
          .split(/^--\n(?=-- )/m)
          .sort()
      assert.deepEqual(blocks(await script(database, path)), blocks(expected))
    }
  })
}

test('a session that fails or ends early fails the archive', { skip: noClient }, async () => {
  const failing = (select: string) => (read: TableRead) =>
    read.table.name === 'parent'
      ? { ...read, shares: 5, select: (share: number) => (share === 3 ? select : 'SELECT 1') }
      : read
  // One that fails at once may do so while the other is not ready yet.
  const readAll = async (select: string) => {
    await using reading = new AsyncDisposableStack()
    const { archive, abort } = await start('utf8', failing(select))
    reading.defer(abort)
    await buffer(archive)
  }
  await assert.rejects(readAll('SELECT 1 / a FROM (VALUES (0)) AS v (a)'), /division by zero/)
  await assert.rejects(
    readAll('SELECT 1 FROM pg_terminate_backend(pg_backend_pid()), pg_sleep(5)'),
    /terminating connection|connection to the database was cut/,
  )
})

test('a table that is locked or has changed is not read', { skip: noClient }, async () => {
  await using other = await postgres.connect('utf8')
  await other.query(`begin; set search_path = "Größe \\ ""S"""; lock table parent in access exclusive mode`)
  await assert.rejects(start('utf8'), /could not obtain lock/)
  await other.query('rollback')
  const [table] = await largeTables('utf8')
  await using snapshot = await exportSnapshot(await bench.open('utf8'), [table!])
  await assert.rejects(planPageReads(snapshot.session, [{ ...table!, oid: '1' }]), /Käse has changed/)
})

test('ranges of pages meet, and the last has no end', () => {
  const table = { oid: '1', schema: 's', name: 't', bytes: 0, pattern: '', hasPages: true }
  const selects = (pages: number, bytes: number) => {
    const read = pageRead(table, { pages, bytes, columns: ['a'] })
    return Array.from({ length: read.shares }, (_, share) =>
      read.select(share).replace('SELECT "a" FROM ONLY "s"."t"', ''),
    )
  }
  assert.deepEqual(selects(0, 0), [''])
  assert.deepEqual(selects(512, 4_194_304), [''])
  assert.deepEqual(selects(2, 1e9), [" WHERE ctid < '(1,0)'", " WHERE ctid >= '(1,0)'"])
  assert.deepEqual(selects(1200, 1200 * 8192), [
    " WHERE ctid < '(512,0)'",
    " WHERE ctid >= '(512,0)' AND ctid < '(1024,0)'",
    " WHERE ctid >= '(1024,0)'",
  ])
})
