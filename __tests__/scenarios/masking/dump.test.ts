/** Masked dumps by the built action: what they contain, how plain pg_restore takes them, and what passes the wire. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { findClients, restore } from '../../../lab/postgres/clients.ts'
import { startProxy } from '../../../lab/proxy.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'
import type { Manifest } from '../../../src/storage/manifest.ts'

const KEY = 'c4nary-mask-key-0123456789abcdef'
const RAW = 'raw-canary'

const SCHEMA = `
  create extension citext;
  create table users (id int primary key, email text not null unique, "Voller Näme" text, phone varchar(20), bio text,
    twice text generated always as (lower("Voller Näme")) stored, settings jsonb, role text check (role <> ''), born date);
  insert into users (id, email, "Voller Näme", phone, bio, settings, role, born) select n, '${RAW}-' || n || '@real.example.org', '${RAW} ' || n, '+49 170 ${'0'.repeat(3)}' || n,
    '${RAW} ' || repeat(md5(n::text), 30), json_build_object('theme', 'dark', 'mail', '${RAW}')::jsonb, 'member', '1990-05-17'
    from generate_series(1, 1500) as n;
  create table orders (id int primary key, "user" int references users, email text references users (email), note text);
  insert into orders select n, n, '${RAW}-' || n || '@real.example.org', null from generate_series(1, 500) as n;
  create table events (at date not null, who text, primary key (at)) partition by range (at);
  create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
  create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
  insert into events select date '2025-01-01' + n, '${RAW}' from generate_series(0, 600) as n;
  create type mood as enum ('good', 'bad', 'mixed', 'none');
  create table moods (mood mood, who text) partition by hash (mood);
  create table moods_0 partition of moods for values with (modulus 2, remainder 0);
  create table moods_1 partition of moods for values with (modulus 2, remainder 1);
  insert into moods select m, '${RAW}' from unnest(enum_range(null::mood)) as m;
  create schema "Sch.ema";
  create table "Sch.ema"."O""dd Täble" ("a.b" text, "(c)" int);
  insert into "Sch.ema"."O""dd Täble" values ('${RAW}', 1), (null, 2);
  create table countries (code text primary key, name text);
  insert into countries values ('de', 'Deutschland'), ('fr', null);
  create table sessions (token text);
  insert into sessions values ('${RAW}');
  create extension lab;
  insert into config values ('mine', '${RAW}');
  create materialized view mails as select email from users where id <= 3;
  select lo_from_bytea(0, '${RAW}');
  create extension postgres_fdw;
  create server far foreign data wrapper postgres_fdw;
  create user mapping for public server far options (user 'x', password 'of the mapping');`

const MASKS = `tables:
  public.users:
    keep: [id, role]
    columns:
      email: email
      Voller Näme: name
      phone: digits
      bio: text
      settings: {json: [theme]}
      born: {sql: "date_trunc('year', born)::date"}
  public.orders:
    rows: id <= 400
    keep: [id, user]
    columns:
      note: null
  public.events:
    keep: [at]
    columns: {who: token}
  public.moods:
    keep: [mood]
    columns: {who: token}
  '"Sch.ema"."O""dd Täble"':
    keep: ["(c)"]
    columns: {a.b: token}
  public.countries: keep
  public.sessions: none
  public.config:
    keep: [key]
    columns: {secret: {value: x}}
`

const newest = findClients().at(-1)!.major

let bench: Bench
/** The dump of everything, by the newest client. */
const archiveOfAll = join(tempFolder('archive').path, 'all.dump')
/** An extension with a configuration table, of which one row is its own. */
function installExtension(): void {
  const folder = join(bench.postgres.dataDir, '../server/share/postgresql/extension')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'lab.control'), "default_version = '1'\n")
  const sql = `create table config (key text, secret text); insert into config values ('own', 'of the extension');
               select pg_extension_config_dump('config', 'where key <> ''own''');`
  writeFileSync(join(folder, 'lab--1.sql'), sql)
}

before(async () => {
  bench = await startBench({ settings: { log_statement: 'all' }, ownPrograms: true })
  installExtension()
  await bench.postgres.createDatabase('app')
  await bench.postgres.psql('app', SCHEMA)
})
after(() => bench?.[Symbol.asyncDispose]())

/** Runs a masked dump of `app` with this mask file. */
async function dump(masks: string, more: Inputs = {}, place: 'folder' | 's3' = 'folder') {
  const workspace = tempFolder('workspace').path
  writeFileSync(join(workspace, 'masks.yml'), masks)
  const inputs = { mask: 'masks.yml', 'mask-key': KEY, ...more }
  return await bench.run('dump', place, 'app', inputs, { cwd: workspace })
}

/** Restores an archive with the newest pg_restore alone into a new database, and returns its name. */
async function restorePlainly(archive: string, name: string, args: string[] = []): Promise<string> {
  await bench.postgres.createDatabase(name)
  const options = ['--no-owner', '--dbname', name, ...args, archive]
  await restore(findClients().at(-1)!, bench.postgres.env(name), options)
  return name
}

const restoreKey = (key: string | undefined, name: string) => restorePlainly(join(bench.folder, key!), name)

/** Neither pg_dump 15 nor pg_restore 15 can move partitions by the hash of an enum to another database. */
const withoutMoods = { 'exclude-table-data': 'public.moods' }

const query = (database: string, sql: string) => bench.postgres.psql(database, sql)

test('a masked dump has no raw value, in storage or on the wire', async () => {
  const passed: Buffer[] = []
  const proxy = await startProxy(bench.postgres, (_, side, bytes) => {
    if (side === 'server') passed.push(Buffer.from(bytes))
  })
  await using _ = proxy
  const logged = bench.postgres.log().length
  const more = { jobs: '4', compression: 'none', 'postgres-version': String(newest) }
  const url = bench.postgres.url('app', { port: proxy.port })
  const run = succeeded(await dump(MASKS, { ...more, 'database-url': url }, 's3'))
  const wire = Buffer.concat(passed)
  assert.ok(wire.length > 400_000, `${wire.length} bytes passed`)
  assert.equal(wire.indexOf(RAW), -1, 'a raw value passed the wire')
  assert.doesNotMatch(run.visibleLog, new RegExp(`${RAW}|${KEY}`))
  assert.match(run.log, /public\.users: all rows/)
  assert.match(run.summary, /columns masked: /)
  assert.match(run.warnings.join('\n'), /large objects are left out/)
  const archive = await bench.s3.read(`nightly/${run.outputs['dump-key']}`)
  assert.equal(archive.indexOf(RAW), -1)
  writeFileSync(archiveOfAll, archive)
  const manifest = JSON.parse(
    String(await bench.s3.read(`nightly/${run.outputs['dump-key']}.json`)),
  ) as Manifest
  assert.deepEqual(manifest.mask?.columns, {
    ...{ email: 2, name: 1, digits: 1, text: 1, json: 1, sql: 1, null: 1, token: 3, value: 1 },
  })
  const orders = manifest.tables.find(({ name }) => name === 'orders')
  assert.deepEqual([orders?.rows, orders?.rowsBefore], [400, 500])
  assert.equal(
    manifest.tables.some(({ name }) => name === 'sessions'),
    false,
  )
  assert.equal(run.outputs['row-count'], String(1500 + 400 + 601 + 4 + 2 + 2 + 1))
  const statements = bench.postgres.log().slice(logged)
  assert.match(statements, /COPY \(SELECT/)
  const hexKey = Buffer.from(KEY).toString('hex')
  for (const secret of [KEY, hexKey]) assert.equal(statements.includes(secret), false)
})

const noRootLoad = newest < 16 && 'pg_dump 15 and earlier load each partition by itself'

test('partitions by the hash of an enum are loaded through their root, as pg_dump 16 does', {
  skip: noRootLoad,
}, async () => {
  const database = await restorePlainly(archiveOfAll, 'moods', ['-j', '2'])
  assert.equal(
    await query(database, 'select count(*), count(distinct mood), count(distinct who) from moods'),
    '4|4|1',
  )
})

test('pg_restore and the action restore the same, each object with its masks', async () => {
  const key = succeeded(await dump(MASKS, withoutMoods)).outputs['dump-key']!
  await restorePlainly(join(bench.folder, key), 'plain', ['-j', '2'])
  succeeded(await bench.run('restore', 'folder', 'again', { 'dump-key': key }))
  for (const database of ['plain', 'again']) {
    const content = await query(
      database,
      `select (select count(*) || min(email) || min("Voller Näme") || min(phone) || min(bio) || min(settings::text) || min(twice) || min(born) from users),
                (select count(*) || min(email) from orders join users using (email)), (select count(*) from events_2025),
                (select count(*) from moods), (select string_agg("a.b" || "(c)", ',') from "Sch.ema"."O""dd Täble"),
                (select string_agg(code || coalesce(name, '-'), ',' order by code) from countries), (select count(*) from sessions),
                (select string_agg(key || secret, ',' order by key) from config), (select min(email) from mails),
                (select count(*) from pg_largeobject_metadata), (select count(*) from pg_user_mappings),
                (select count(*) from pg_constraint where not convalidated)`,
    )
    assert.match(
      content,
      /^1500[0-9a-f]{16}@example\.com.*\{"theme": "dark"\}.*1990-01-01\|400[0-9a-f]{16}@example\.com\|365\|0\|[0-9a-f]{32}1\|deDeutschland,fr-\|0\|minex,ownof the extension\|[0-9a-f]{16}@example\.com\|0\|0\|0$/,
    )
  }
})

test('names and values in other encodings, and a role that may only read', async () => {
  await bench.postgres.psql('postgres', "create role plain login password 'plain' in role pg_read_all_data")
  const masks = `tables:
  public.Käse:
    keep: [größe]
    columns: {"e-mail": email, ort: null}
  public.Länder: keep
`
  for (const encoding of ['LATIN1', 'EUC_JP']) {
    const [umlaut, word] = encoding === 'EUC_JP' ? ['猫', '猫の国'] : ['ä', 'groß']
    const from = `source_${encoding.toLowerCase()}`
    await bench.postgres.createDatabase(from, `encoding '${encoding}' locale 'C' template template0`)
    const local = (text: string) => text.replaceAll('ä', umlaut!).replaceAll('größe', word!)

    await bench.postgres.psql(
      from,
      local(`create table "Käse" ("größe" text, "e-mail" varchar(40), "ort" text);
             insert into "Käse" values ('größe', '${RAW}@größe.org', '${RAW}'), (null, null, null);
             create table "Länder" ("größe" text, zwei text); insert into "Länder" values ('größe', E'a\\nb')`),
    )
    const url = bench.postgres.url(from, { user: 'plain', password: 'plain' })
    const run = succeeded(await dump(local(masks), { 'database-url': url, jobs: '2' }))
    assert.equal(readFileSync(join(bench.folder, run.outputs['dump-key']!)).indexOf(RAW), -1)
    const to = `target_${encoding.toLowerCase()}`
    await restoreKey(run.outputs['dump-key'], to)
    const masked = await query(to, local('select "größe", length("e-mail"), "ort" from "Käse" order by 1'))
    assert.equal(masked, local('größe|28|\n||'))
    const kept = local('select array_agg("größe" || zwei) from "Länder"')
    assert.equal(await query(to, kept), await query(from, kept))
  }
})

test('a dump of definitions has a record of masks and no rows; one of chosen tables masks those', async () => {
  const schema = succeeded(await dump(MASKS, { 'schema-only': 'true' }))
  assert.equal(schema.outputs['row-count'], '0')
  const some = succeeded(
    await dump(MASKS, { tables: 'public.orders\npublic.users', jobs: '1', 'large-objects': 'keep' }),
  )
  assert.equal(some.outputs['table-count'], '2')
  await restoreKey(some.outputs['dump-key'], 'some')
  assert.equal(await query('some', 'select count(*) from orders join users using (email)'), '400')
  const objects = `select count(*), string_agg(convert_from(lo_get(oid), 'UTF8'), '') from pg_largeobject_metadata`
  assert.equal(await query('some', objects), `1|${RAW}`)
})

test('where loading depends on the order of tables, masked tables keep their place among the others', async () => {
  await bench.postgres.createDatabase('ordered')
  await bench.postgres.psql(
    'ordered',
    `create table a_parent (id int primary key, who text);
     insert into a_parent select n, '${RAW}' from generate_series(1, 3000) as n;
     create function has_parent(int) returns boolean language sql as 'select exists (select from public.a_parent where id = $1)';
     create table b_child (parent int check (has_parent(parent))); insert into b_child values (1);
     create table c_masked (parent int check (has_parent(parent)), who text); insert into c_masked values (2, '${RAW}')`,
  )
  const masks = `tables:
  public.a_parent: {keep: [id], columns: {who: token}}
  public.b_child: keep
  public.c_masked: {keep: [parent], columns: {who: token}}
`
  const run = succeeded(await dump(masks, { 'database-url': bench.postgres.url('ordered'), jobs: '4' }))
  const database = await restoreKey(run.outputs['dump-key'], 'in_order')
  assert.equal(
    await query(database, 'select (select count(*) from b_child) + (select count(*) from c_masked)'),
    '2',
  )
})
