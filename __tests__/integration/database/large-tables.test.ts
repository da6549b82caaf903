import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { noClient, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { EVERYTHING } from '../../../lab/postgres/whole-database.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { identifier } from '../../../src/database/connection/session.ts'
import { planReading, readLargeTables } from '../../../src/database/large-tables.ts'
import { type Contents, dumpArguments } from '../../../src/database/pg-dump.ts'
import { resolveFilters } from '../../../src/database/selection.ts'

const MIB = 1024 * 1024

const bench = await startSessionBench()
const { postgres } = bench
const folder = tempFolder('large')
after(() => folder[Symbol.asyncDispose]())

before(async () => {
  await postgres.createDatabase('large')
  const table = (name: string, rows: number) =>
    `CREATE TABLE ${name} AS SELECT n, repeat('x', 500) AS t FROM generate_series(1, ${rows}) AS n;`
  await postgres.psql(
    'large',
    `CREATE SCHEMA audit; CREATE SCHEMA "Odd|Schema";
     ${table('orders', 20_000)} ${table('"Order ""Items"""', 10_000)} ${table('audit.log', 8000)}
     ${table('"Odd|Schema"."a.b*c"', 6000)} ${table('small', 10)}
     CREATE TABLE parts (n int, t text) PARTITION BY RANGE (n);
     CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (5000);
     INSERT INTO parts SELECT n, repeat('y', 500) FROM generate_series(1, 4999) AS n;`,
  )
})

const quoted = (name: string) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : identifier(name))

async function namesOf(contents: Partial<Contents>): Promise<string[]> {
  const session = await bench.open('large')
  const found = await readLargeTables(session, await resolveFilters(session, { ...EVERYTHING, ...contents }))
  return found.map(({ schema, name }) => `${quoted(schema)}.${quoted(name)}`)
}

test('the large tables of a database, largest first', { skip: noClient }, async () => {
  const odd = '"Odd|Schema"."a.b*c"'
  const all = ['public.orders', 'public."Order ""Items"""', 'audit.log', odd, 'public.parts_1']
  assert.deepEqual(await namesOf({}), all)
})

test('none where arguments may change what is dumped, or no data are', { skip: noClient }, async () => {
  assert.deepEqual(await namesOf({ pgDumpArgs: ['--inserts'] }), [])
  assert.deepEqual(await namesOf({ schemaOnly: true }), [])
})

/** What pg_dump itself takes data of. */
async function dumped(contents: Partial<Contents>): Promise<string[]> {
  const session = await bench.open('large')
  const told = await resolveFilters(session, { ...EVERYTHING, ...contents })
  const args = dumpArguments(told.contents, 'action').filter((arg) => !/^--(format|compress)/.test(arg))
  const path = join(folder.path, 'script')
  const { code, stderr } = await bench.run('pg_dump', 'large', [...args, `--file=${path}`])
  assert.equal(code, 0, stderr)
  return [...readFileSync(path, 'utf8').matchAll(/^COPY (.*?) \(n, t\)/gm)].map(([, name]) => name!)
}

const FILTERS: Partial<Contents>[] = [
  {},
  { tables: ['orders', 'audit.*'], excludeSchemas: ['audit'] },
  { tables: ['audit.*', 'parts*'], excludeTables: ['*.log'] },
  { schemas: ['p*'], excludeTables: ['orders'] },
  { schemas: ['public', 'audit'], excludeSchemas: ['aud*'] },
  { excludeTableData: ['audit.*', 'parts*'] },
  { tables: ['parts'] },
  { excludeTables: ['parts'] },
  { excludeTableData: ['parts', '"Odd|Schema".*'] },
]

/** It is not large. */
const MAY_BE_MISSING = ['public.small']

for (const contents of FILTERS) {
  test(`with ${JSON.stringify(contents)}, those whose data pg_dump takes`, { skip: noClient }, async () => {
    const [taken, found] = [await dumped(contents), await namesOf(contents)]
    assert.deepEqual(
      found.filter((name) => !taken.includes(name)),
      [],
    )
    assert.deepEqual(
      taken.filter((name) => !found.includes(name) && !MAY_BE_MISSING.includes(name)),
      [],
    )
  })
}

test('a locked table is no reason to wait', { skip: noClient }, async () => {
  await using other = await postgres.connect('large')
  await other.query('BEGIN')
  await other.query('LOCK TABLE orders IN ACCESS EXCLUSIVE MODE')
  assert.deepEqual(await namesOf({}), [])
  await other.query('ROLLBACK')
})

const table = (name: string, mebibytes: number) => ({
  oid: name,
  schema: 's',
  name,
  bytes: mebibytes * MIB,
  pattern: `s.${name}`,
  hasPages: !name.startsWith('other'),
})
/** What is planned for tables with these mebibytes: the tables of further dumps, and those that sessions share. */
const PLANS: [string, Record<string, number>, number, string[][], string[], number][] = [
  ['one job is one connection', { a: 500, b: 500 }, 1, [], [], 0],
  ['two large tables for two', { a: 500, b: 400 }, 2, [], ['a', 'b'], 2],
  ['nothing of a small database', { a: 20, b: 20 }, 2, [], [], 0],
  ['one large table by its pages', { a: 500 }, 4, [], ['a'], 4],
  ['as many sessions as have enough to read', { a: 40, b: 20, c: 10 }, 8, [], ['a', 'b', 'c'], 2],
  ['a dump each where pages cannot be used', { other: 500, others: 300 }, 4, [['others']], [], 0],
  ['nothing by pages if that is too little', { other: 500, b: 40, c: 10 }, 4, [['b']], [], 0],
  ['both', { other: 300, others: 200, a: 500 }, 4, [['others']], ['a'], 2],
]
for (const [what, tables, jobs, dumps, paged, sessions] of PLANS) {
  test(`plan: ${what}`, () => {
    const plan = planReading(
      Object.entries(tables).map(([name, size]) => table(name, size)),
      jobs,
    )
    const names = (list: { name: string }[]) => list.map(({ name }) => name)
    assert.deepEqual([plan.dumps.map(names), names(plan.paged), plan.sessions], [dumps, paged, sessions])
  })
}

test('plan: no more than eight connections', () => {
  const tables = Array.from({ length: 40 }, (_, n) => table(`t${n}`, 100))
  assert.equal(planReading(tables, 64).sessions, 8)
  const others = tables.map((each) => ({ ...each, hasPages: false }))
  assert.equal(planReading(others, 64).dumps.length, 7)
})

test('pages of tables whose rows they can say are used', { skip: noClient }, async () => {
  await postgres.createDatabase('paged')
  const data = `SELECT n, repeat('x', 500) FROM generate_series(1, 4000) AS n`
  await postgres.psql(
    'paged',
    `CREATE TABLE usual (n int, t text); INSERT INTO usual ${data};
     CREATE TABLE ranges (n int, t text) PARTITION BY RANGE (n); CREATE TABLE in_range PARTITION OF ranges DEFAULT; INSERT INTO ranges ${data};
     CREATE TABLE hashes (n int, t text) PARTITION BY HASH (n);
     CREATE TABLE by_hash PARTITION OF hashes FOR VALUES WITH (MODULUS 1, REMAINDER 0); INSERT INTO hashes ${data};
     CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler;
     CREATE TABLE foreign_pages (n int, t text) USING other; INSERT INTO foreign_pages ${data};
     CREATE TABLE no_columns (); INSERT INTO no_columns SELECT FROM generate_series(1, 100000)`,
  )
  const session = await bench.open('paged')
  const found = await readLargeTables(session, await resolveFilters(session, EVERYTHING))
  assert.deepEqual(Object.fromEntries(found.map(({ name, hasPages }) => [name, hasPages])), {
    usual: true,
    in_range: true,
    by_hash: false,
    foreign_pages: false,
    no_columns: false,
  })
})
