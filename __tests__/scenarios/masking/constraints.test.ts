import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type LifecycleBench, startLifecycleBench } from '../../../lab/benches/lifecycle-bench.ts'
import { brokenConstraints, countValues } from '../../../lab/postgres/check-constraints.ts'
import { readTables } from '../../../lab/postgres/compare.ts'
import { KEY } from '../../../lab/postgres/mask-cases.ts'
import {
  KEPT_VALUES,
  MASK_FILE,
  makePersonalData,
  RAW,
  RAW_VALUES,
  SECRETS,
  writeMaskFile,
} from '../../../lab/postgres/personal-data.ts'
import { startPostgres } from '../../../lab/postgres/postgres.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'
import type { Manifest } from '../../../src/storage/manifest.ts'

let bench: LifecycleBench
let key: string
const { path: workspace } = tempFolder('workspace')
const masked = { mask: MASK_FILE, 'mask-key': KEY, compression: 'none' }

const dump = async (more = {}) =>
  succeeded(await bench.run('dump', 'app', { ...masked, ...more }, { cwd: workspace }))
const restore = async (database: string, dumpKey: string, more = {}) =>
  succeeded(await bench.run('restore', database, { 'dump-key': dumpKey, 'require-masked': 'true', ...more }))

before(async () => {
  bench = await startLifecycleBench()
  await makePersonalData(bench.postgres, 'app')
  writeMaskFile(workspace)
  key = (await dump({ jobs: '4' })).outputs['dump-key']!
  await restore('restored', key)
})
after(() => bench?.[Symbol.asyncDispose]())

/** The result of a query on the source and on the restored database. */
async function both(sql: string): Promise<[string, string]> {
  return [await bench.postgres.psql('app', sql), await bench.postgres.psql('restored', sql)]
}

test('every constraint, key and index of the restored database holds for its rows', async () => {
  assert.deepEqual(await brokenConstraints(bench.postgres, 'restored'), [])
})

test('all rows arrive, and NULL stays NULL where the mask is not null', async () => {
  const counts = await countValues(bench.postgres, 'app')
  const found = await countValues(bench.postgres, 'restored')
  const expected = [...counts].map(([name, count]): [string, number] => {
    const isEmptied = /^public\.sessions\b/.test(name)
    const isNull =
      name === 'public.events_1.note' ||
      name === 'public.Events 2 "b".note' ||
      (/^public\.wide\.c/.test(name) && Number(name.slice('public.wide.c'.length)) % 4 === 2)
    return [name, isEmptied || isNull ? 0 : count]
  })
  assert.deepEqual(Object.fromEntries(found), Object.fromEntries(expected))
})

test('natural keys in three tables, a composite key and a key of citext still join', async () => {
  const queries = [
    'select count(*), count(distinct p.id), sum(y.amount) from persons p join contracts c on c.person = p.national_id join payments y on y.person = c.person',
    'select p.id, c.id, count(y.id) from persons p join contracts c on c.person = p.national_id left join payments y on y.person = p.national_id group by 1, 2 order by 1',
    'select v.id, country, (p.number is not null) from visas v left join passports p using (country) where v.passport = p.number order by 1',
    'select v.id, p.id from visas v join persons p on v.nick = p.nick order by 1',
    'select p.id from persons p join mails m using (email) where m.people = 1 order by 1',
  ]
  for (const query of queries) {
    const [source, copy] = await both(query)
    assert.equal(copy, source, query)
    assert.ok(source.length > 0)
  }
})

test('what is kept is as it was, and what is computed follows the masks', async () => {
  const queries = [
    'select id, role, period from persons order by 1',
    'select id, amount, payer from payments order by 1',
    'select tableoid::regclass, at from events order by 1, 2',
    'select tableoid::regclass, name from animals order by 2',
    'select * from countries',
    `select id, settings->'theme', settings->'mail'->'on' from persons order by 1`,
    `select last_value, is_called from persons_id_seq`,
  ]
  for (const query of queries) {
    const [source, copy] = await both(query)
    assert.equal(copy, source, query)
  }
  const wrong = `select count(*) from persons where folded is distinct from lower(full_name) or born <> '1971-01-01' or tags <> '{}'
    or checked <> E'it''s \\\\ constant' or settings #> '{mail,to}' is not null or email !~ '^[0-9a-f]{16}@example\\.com$'
    or phone !~ '^\\+\\d\\d \\d{3} \\d{7}$' or octet_length(photo) <> 16`
  assert.equal(await bench.postgres.psql('restored', wrong), '0')
  assert.equal(await bench.postgres.psql('restored', 'select count(distinct folded) > 20 from persons'), 't')
})

test('no raw value is in the dump or in the restored database, nor a large object, user mapping or subscription', async () => {
  const archive = readFileSync(join(bench.folder, key))
  assert.deepEqual(
    [...RAW_VALUES, ...SECRETS].filter((value) => archive.includes(value)),
    [],
  )
  for (const value of KEPT_VALUES) assert.ok(archive.includes(value))
  const tables = [...(await readTables(bench.postgres, 'restored')).keys()]
  assert.ok(tables.length > 15)
  const [row] = await bench.postgres.query<{ found: string }>(
    'restored',
    `select string_agg(query_to_xml(format('select * from only %s', oid::regclass), true, true, '')::text, '') as found
     from pg_class where relkind in ('r', 'm') and relnamespace::regnamespace::text !~ '^(pg_|information)'`,
  )
  assert.deepEqual(
    RAW_VALUES.filter((value) => row!.found.includes(value)),
    [],
  )
  const left = `select (select count(*) from pg_largeobject_metadata), (select count(*) from pg_user_mappings), (select count(*) from pg_subscription s join pg_database d on d.oid = s.subdbid where datname = current_database()),
    (select count(*) from pg_foreign_server)`
  assert.equal(await bench.postgres.psql('restored', left), '0|0|0|1')
})

test('large-objects: keep brings them as they are', async () => {
  const run = await dump({ 'large-objects': 'keep' })
  await restore('objects', run.outputs['dump-key']!)
  const sql = `select count(*), string_agg(convert_from(lo_get(oid), 'UTF8'), '') from pg_largeobject_metadata`
  assert.equal(await bench.postgres.psql('objects', sql), `2|${RAW} large object`)
})

test('verify compares a masked dump as any other', async () => {
  const run = succeeded(await bench.run('verify', 'app', { 'dump-key': key }))
  assert.equal(run.outputs.verified, 'true')
  const { tables } = JSON.parse(readFileSync(join(bench.folder, `${key}.json`), 'utf8')) as Manifest
  const masks = Object.fromEntries(tables.map((table) => [table.name, table.masks]))
  assert.deepEqual(masks.passports, { token: 1, name: 1 })
  assert.deepEqual(masks.events_1, { email: 1, null: 1 })
  assert.equal(masks.countries, undefined)
  assert.match(run.summary, /\| `public\.passports` \| 1 token, 1 name \|/)
})

test('one connection, another day and a standby give the same masks, and another key gives others', async () => {
  await using standby = await startPostgres({ standbyOf: bench.postgres })
  const url = { 'database-url': standby.url('app') }
  const rows = async (database: string) => Object.fromEntries(await readTables(bench.postgres, database))
  const expected = await rows('restored')
  await restore('again', (await dump({ jobs: '1' })).outputs['dump-key']!)
  assert.deepEqual(await rows('again'), expected)
  await restore('from_standby', (await dump({ ...url, jobs: '4' })).outputs['dump-key']!)
  // A standby has no rows of unlogged tables.
  const { 'public.cache': _, ...logged } = expected
  const { 'public.cache': cache, ...found } = await rows('from_standby')
  assert.equal(cache!.rows, 0)
  assert.deepEqual(found, logged)
  await restore('other_key', (await dump({ 'mask-key': 'another key' })).outputs['dump-key']!)
  const others = await rows('other_key')
  assert.notEqual(others['public.contracts']!.hash, expected['public.contracts']!.hash)
  assert.equal(others['public.countries']!.hash, expected['public.countries']!.hash)
})
