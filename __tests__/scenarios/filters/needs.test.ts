import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { environment, program, runProgram } from '../../../lab/benches/session-bench.ts'
import { readTables } from '../../../lab/postgres/compare.ts'
import { EVERYTHING } from '../../../lab/postgres/whole-database.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { parseDatabaseUrl } from '../../../src/database/connection/database-url.ts'
import { Session } from '../../../src/database/connection/session.ts'
import type { Contents } from '../../../src/database/pg-dump.ts'
import { completeSelection } from '../../../src/database/restorable.ts'
import { resolveFilters } from '../../../src/database/selection.ts'

let bench: Bench
let copies = 0

before(async () => {
  bench = await startBench()
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql(
    'app',
    `create schema ext; create schema kinds; create schema parts; create schema scratch; create schema "Ünter 😀";
     create extension cube schema ext; create extension earthdistance schema ext; create extension citext;
     create type kinds.mood as enum ('good', 'bad');
     create function kinds.twice(int) returns int language sql immutable as 'select $1 * 2';
     create table users (email citext primary key, place ext.earth);
     insert into users values ('A@example.com'), ('b@example.com');
     create table "Ünter 😀".far (id serial primary key, at ext.cube); insert into "Ünter 😀".far values (1, '(1,2)');
     create table moods (id int default kinds.twice(1), mood kinds.mood); insert into moods values (1, 'good');
     create table uploads (id int primary key, bytes bytea);
     create table posts (id int primary key, upload int references uploads);
     create view gallery as select p.id, length(u.bytes) as size from posts as p join uploads as u on u.id = p.upload;
     insert into uploads select n, 'x' from generate_series(1, 3) as n; insert into posts select n, n from generate_series(1, 3) as n;
     create table drafts (id int primary key, upload int references uploads); insert into drafts values (1, null);
     create table metrics (id int, at date not null) partition by range (at);
     create table metrics_2024 partition of metrics for values from ('2024-01-01') to ('2025-01-01');
     create table parts.metrics_2025 partition of metrics for values from ('2025-01-01') to ('2026-01-01');
     insert into metrics select n, date '2024-01-01' + n from generate_series(0, 699) as n;
     create table scratch.junk as select 1 as id;`,
  )
})
after(() => bench?.[Symbol.asyncDispose]())

const openSession = (database: string) =>
  Session.open(parseDatabaseUrl(bench.postgres.url(database)), { psql: program('psql'), environment })

const dump = (inputs: Inputs) => bench.run('dump', 'folder', 'app', inputs)

/** Dumps with filters, restores by the action and by plain pg_restore, and returns the rows of each table. */
async function rowsAfter(inputs: Inputs): Promise<Record<string, number>> {
  const key = succeeded(await dump(inputs)).outputs['dump-key']!
  const copy = `copy_${++copies}`
  succeeded(await bench.run('restore', 'folder', copy, { 'dump-key': key }))
  const plain = `plain_${copies}`
  await bench.postgres.createDatabase(plain, 'template template0')
  const args = ['--exit-on-error', '--no-owner', `--dbname=${plain}`, join(bench.folder, key)]
  const { code, stderr } = await runProgram(program('pg_restore'), args, {
    ...bench.postgres.env(plain),
    PATH: process.env.PATH!,
  })
  assert.equal(code, 0, stderr)
  const rows = async (database: string) =>
    [...(await readTables(bench.postgres, database))].map(([name, table]) => [name, table.rows])
  const found = await rows(copy)
  assert.deepEqual(await rows(plain), found)
  return Object.fromEntries(found)
}

test('#13 extensions and schemas that the chosen part needs go along', async () => {
  const chosen = { schemas: 'public', 'exclude-tables': 'moods\nmetrics' }
  assert.deepEqual(await rowsAfter(chosen), {
    ...{ 'public.drafts': 1, 'public.posts': 3, 'public.uploads': 3, 'public.users': 2 },
  })
})

test('#13 a partitioned table brings its partitions in other schemas, and a column its extension', async () => {
  assert.deepEqual(await rowsAfter({ tables: '"Ünter 😀".far\npublic.users\nmetrics' }), {
    ...{ 'Ünter 😀.far': 1, 'public.users': 2 },
    ...{ 'parts.metrics_2025': 334, 'public.metrics_2024': 366 },
  })
})

const refused: [Partial<Contents>, RegExp][] = [
  [
    { excludeTables: ['uploads'] },
    /table public\.uploads, needed by table public\.posts, view public\.gallery, table public\.drafts \(add exclude-tables: public\.posts, exclude-tables: public\.gallery, exclude-tables: public\.drafts\)/,
  ],
  [
    { tables: ['posts'] },
    /table public\.uploads, needed by table public\.posts \(add tables: public\.uploads\)/,
  ],
  [
    { tables: ['moods'] },
    /type kinds\.mood, needed by table public\.moods \(select schemas: kinds instead of tables\)/,
  ],
  [
    { schemas: ['public'] },
    /type kinds\.mood, needed by table public\.moods \(add schemas: kinds\).*function kinds\.twice\(integer\).*table parts\.metrics_2025, needed by table public\.metrics \(add schemas: parts\)/,
  ],
  [
    { tables: ['metrics_2024'] },
    /table public\.metrics, needed by table public\.metrics_2024 \(add tables: public\.metrics\)/,
  ],
  [
    { excludeSchemas: ['kinds'] },
    /type kinds\.mood, needed by table public\.moods \(add exclude-tables: public\.moods\)/,
  ],
  [
    { excludeTableData: ['uploads'] },
    /rows of table public\.uploads, to which posts_upload_fkey of table public\.posts refers \(add exclude-table-data: public\.posts\)/,
  ],
]

test('#13 what is missing is known before the dump', async () => {
  await using session = await openSession('app')
  const report = { info: () => undefined, warning: () => undefined }
  for (const [filters, says] of refused) {
    const selection = await resolveFilters(session, { ...EVERYTHING, ...filters })
    const completed = completeSelection(session, selection, { allow: false, report })
    await assert.rejects(completed, ({ message }: Error) => {
      assert.match(message, /The filters leave out what the rest of the dump needs/)
      assert.match(message, says)
      return true
    })
  }
  const run = failed(await dump({ 'exclude-tables': 'uploads' }), refused[0]![1])
  assert.match(run.errors[0]!, /The filters leave out what the rest of the dump needs/)
  assert.doesNotMatch(run.log, /Starting \S+pg_dump --format/)
})

test('#13 rows that nothing refers to may be left out, and allow-unrestorable makes the error a warning', async () => {
  const without = { 'exclude-schemas': 'ext\nscratch', 'exclude-table-data': 'uploads\nposts' }
  const rows = await rowsAfter(without)
  assert.equal(rows['public.users'], 2)
  assert.deepEqual([rows['public.uploads'], rows['public.posts'], rows['public.drafts']], [0, 0, 1])
  const run = succeeded(await dump({ 'exclude-tables': 'uploads', 'allow-unrestorable': 'true' }))
  assert.match(run.log, /::warning.*The filters leave out what the rest of the dump needs.*public\.uploads/)
  const copy = { command: 'copy', 'source-database-url': bench.postgres.url('app'), overwrite: 'true' }
  failed(
    await bench.run('dump', 'folder', 'copied', { ...copy, tables: 'posts' }),
    /needed by table public\.posts/,
  )
  succeeded(
    await bench.run('dump', 'folder', 'copied', { ...copy, tables: 'posts\nuploads\n"Ünter 😀".far' }),
  )
})

test('#13 a schema that was added is not created again where it exists', async () => {
  const key = succeeded(await dump({ tables: '"Ünter 😀".far' })).outputs['dump-key']!
  const place = { 'dump-key': key, swap: 'false' }
  const inPlace = 'in_place'
  await bench.postgres.createDatabase(inPlace, 'template template0')
  succeeded(await bench.run('restore', 'folder', inPlace, place))
  const again = succeeded(await bench.run('restore', 'folder', inPlace, place))
  assert.equal(again.outputs['row-count'], '1')
})
