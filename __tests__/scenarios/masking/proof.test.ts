/** What a masked dump promises: no raw value leaves the server, and every row, key and constraint arrives. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { MASKED, type MaskingBench, rowsOf, startMaskingBench } from '../../../lab/benches/masking-bench.ts'
import { carelessPgDump } from '../../../lab/careless-pg-dump.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { brokenConstraints, countValues } from '../../../lab/postgres/check-constraints.ts'
import { findClients } from '../../../lab/postgres/clients.ts'
import { KEPT_VALUES, RAW_VALUES, SECRETS } from '../../../lab/postgres/personal-data.ts'
import { startPostgres } from '../../../lab/postgres/postgres.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import type { Manifest } from '../../../src/storage/manifest.ts'

let bench: MaskingBench
/** The dump over four connections, which is restored in `restored`. */
let key: string

const dump = (more = {}, env = {}) =>
  bench.run(
    'dump',
    'app',
    { ...MASKED, compression: 'none', 'database-url': bench.recordedUrl(), ...more },
    { cwd: bench.workspace, env },
  )

before(async () => {
  bench = await startMaskingBench()
})
after(() => bench?.[Symbol.asyncDispose]())

test('a pg_dump without masks shows the proxy every raw value', async () => {
  const pgDump = join(findClients().at(-1)!.bin, 'pg_dump')
  await promisify(execFile)(pgDump, ['-f', '/dev/null', bench.recordedUrl()])
  const seen = new Set(bench.proxy.find([...RAW_VALUES, ...KEPT_VALUES]).map(({ value }) => value))
  const expected = [...RAW_VALUES.filter((value) => value !== 'ra7w'), ...KEPT_VALUES]
  assert.deepEqual([...seen].sort(), expected.sort())
})

test('no raw value leaves the server with a masked dump', async () => {
  const run = succeeded(await dump({ jobs: '4' }))
  await bench.assertNoRawValue(run)
  key = run.outputs['dump-key']!
  succeeded(await bench.run('restore', 'restored', { 'dump-key': key, 'require-masked': 'true' }))
})

test('a pg_dump that sends what is masked ends the dump without a trace of it', async () => {
  const { inputs, env } = carelessPgDump()
  const before = readdirSync(bench.folder, { recursive: true })
  const stopped = failed(
    await dump({ ...inputs, jobs: '1', retries: '2' }, env),
    /mask stopped the step, because pg_dump delivers the data of .*, which is not kept whole/,
  )
  assert.doesNotMatch(stopped.log, /Attempt 2/)
  const { postgres, folder } = bench
  await assertNothingLeft({ run: stopped, postgres, folder, secrets: RAW_VALUES })
  assert.deepEqual(readdirSync(folder, { recursive: true }), before)
})

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
  assert.ok(Object.keys(await rowsOf(bench.postgres, 'restored')).length > 15)
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

test('one connection and a standby give the same masks, and another key gives others', async () => {
  const expected = await rowsOf(bench.postgres, 'restored')
  await using standby = await startPostgres({ standbyOf: bench.postgres })
  const first = succeeded(await dump({ 'database-url': standby.url('app'), jobs: '1' }))
  await bench.restorePlainly('from_standby', first.outputs['dump-key']!)
  // A standby has no rows of unlogged tables.
  const { 'public.cache': _, ...logged } = expected
  const { 'public.cache': cache, ...found } = await rowsOf(bench.postgres, 'from_standby')
  assert.equal(cache!.rows, 0)
  assert.deepEqual(found, logged)
  const second = succeeded(await dump({ 'mask-key': '' }))
  assert.match(second.notices.join('\n'), /mask-key is not set/)
  await bench.restorePlainly('other_key', second.outputs['dump-key']!)
  const others = await rowsOf(bench.postgres, 'other_key')
  assert.notEqual(others['public.contracts']!.hash, expected['public.contracts']!.hash)
  assert.equal(others['public.countries']!.hash, expected['public.countries']!.hash)
})
