import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { environment, program, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { Random } from '../../../lab/crash/random.ts'
import { EVERYTHING } from '../../../lab/postgres/whole-database.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { createEncoder } from '../../../src/archive/archive.ts'
import { clientEnvironment } from '../../../src/database/connection/connection.ts'
import { type Contents, dumpArguments, startDump } from '../../../src/database/pg-dump.ts'
import { type Addition, completeSelection } from '../../../src/database/restorable.ts'
import { resolveFilters } from '../../../src/database/selection.ts'
import { withAdditions } from '../../../src/dumping/complete-archive.ts'

const SEEDS = (process.env.SEEDS ?? '1,2').split(',').map(Number)
const FILTERS_PER_SCHEMA = 6

const bench = await startSessionBench()
const folder = tempFolder('property')
after(() => folder[Symbol.asyncDispose]())

const SCHEMAS = ['public', 's1', '"S 2"']

/** Returns SQL that creates objects which depend on each other across schemas, in an order that is possible. */
function randomSchema(random: Random): string {
  const sql: string[] = ['create schema s1; create schema "S 2";']
  const types = ['int', 'text']
  const functions = ['abs(1)']
  const tables: string[] = []
  const chance = (share: number) => random.next() < share
  if (chance(0.7)) {
    const schema = random.pick(SCHEMAS)
    sql.push(`create extension citext schema ${schema};`)
    types.push(`${schema}.citext`)
  }
  for (let n = 0; n < 14; n += 1) {
    const schema = random.pick(SCHEMAS)
    const kind = random.pick([
      'type',
      'domain',
      'function',
      'table',
      'table',
      'table',
      'partitioned',
      'child',
      'view',
    ])
    const name = `${schema}.o${n}`
    const some = tables.length > 0
    if (kind === 'type') {
      sql.push(`create type ${name} as enum ('a', 'b');`)
      types.push(name)
    } else if (kind === 'domain') {
      sql.push(`create domain ${name} as int check (value > ${random.pick(functions)} - 1000);`)
      types.push(name)
    } else if (kind === 'function') {
      sql.push(`create function ${name}(int) returns int language sql immutable as 'select $1';`)
      functions.push(`${name}(1)`)
    } else if (kind === 'partitioned') {
      sql.push(`create table ${name} (id int primary key, x ${random.pick(types)}) partition by range (id);`)
      for (const [from, to] of [
        [0, 10],
        [10, 20],
      ])
        sql.push(
          `create table ${random.pick(SCHEMAS)}.o${n}_${from} partition of ${name} for values from (${from}) to (${to});`,
        )
      sql.push(`insert into ${name} values (1), (11);`)
      tables.push(name)
    } else if (kind === 'child' && some) {
      sql.push(
        `create table ${name} (more ${random.pick(types)}, primary key (id)) inherits (${random.pick(tables.filter((table) => !sql.some((line) => line.includes(`create table ${table} (id int primary key, x`) && line.includes('partition by'))))} );`.replace(
          'inherits (undefined )',
          '',
        ),
      )
    } else if (kind === 'view' && some) {
      const materialized = chance(0.3) ? 'materialized ' : ''
      sql.push(`create ${materialized}view ${name} as select id from ${random.pick(tables)} group by id;`)
    } else {
      const columns = [`id ${chance(0.3) ? 'serial' : 'int'} primary key`]
      if (chance(0.5)) columns.push(`a ${random.pick(types)}`)
      if (chance(0.3)) columns.push(`b int default ${random.pick(functions)}`)
      if (chance(0.3)) columns.push(`check (id > ${random.pick(functions)} - 1000)`)
      if (some && chance(0.6)) columns.push(`f int references ${random.pick(tables)}`)
      sql.push(`create table ${name} (${columns.join(', ')});`)
      const filled = columns.some((column) => column.startsWith('f ')) && chance(0.5)
      sql.push(`insert into ${name} (id${filled ? ', f' : ''}) values (1${filled ? ', 1' : ''});`)
      tables.push(name)
    }
  }
  return sql.join('\n')
}

function randomFilters(random: Random, relations: readonly string[]): Contents {
  const some = (from: readonly string[], most: number) =>
    random.shuffle(from).slice(0, 1 + Math.floor(random.next() * most))
  const filters: Partial<Contents>[] = [
    { tables: some(relations, 4) },
    { schemas: some(SCHEMAS, 2) },
    { schemas: some(SCHEMAS, 2), excludeTables: some(relations, 2) },
    { excludeTables: some(relations, 3) },
    { excludeSchemas: some(SCHEMAS.slice(1), 1) },
    { excludeTableData: some(relations, 3) },
    { excludeTables: some(relations, 1), excludeTableData: some(relations, 2) },
  ]
  return { ...EVERYTHING, ...random.pick(filters) }
}

/** Dumps what was chosen and restores it into a new database. Returns the first error of pg_restore. */
async function restoreError(
  database: string,
  contents: Contents,
  additions: readonly Addition[],
): Promise<string | null> {
  const env = clientEnvironment(bench.connection(database), environment)
  const extensions = additions.flatMap(({ kind, name }) => (kind === 'EXTENSION' ? `"${name}"` : []))
  const source = startDump(program('pg_dump'), dumpArguments({ ...contents, extensions }, 'action'), env)
  const select = withAdditions(additions)
  const { transform } = createEncoder({ compression: { method: 'none' }, jobs: 1, select })
  const file = join(folder.path, 'archive')
  writeFileSync(file, await buffer(transform(source.stream)))
  await source.finish()
  await bench.postgres.psql('postgres', 'drop database if exists restored')
  await bench.postgres.createDatabase('restored', 'template template0')
  const { code, stderr } = await bench.run('pg_restore', 'restored', ['--exit-on-error', '--dbname=', file])
  return code === 0 ? null : stderr
}

const outcomes = { restored: 0, refused: 0 }

for (const seed of SEEDS) {
  test(`#13 every dump of filtered schema ${seed} can be restored, or is refused for a reason`, async () => {
    const random = new Random(seed)
    const database = `random_${seed}`
    const sql = randomSchema(random)
    await bench.postgres.createDatabase(database, 'template template0')
    await bench.postgres.psql(database, sql)
    const relations = await bench.postgres.query<{ name: string }>(
      database,
      `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = relnamespace
       where relkind in ('r', 'p', 'v', 'm', 'S') and nspname in ('public', 's1', 'S 2') order by 1`,
    )
    const session = await bench.open(database)
    for (let n = 0; n < FILTERS_PER_SCHEMA; n += 1) {
      const filters = randomFilters(
        random,
        relations.map(({ name }) => name),
      )
      const selection = await resolveFilters(session, filters)
      const warnings: string[] = []
      const report = { info: () => undefined, warning: (text: string) => void warnings.push(text) }
      const additions = await completeSelection(session, selection, { allow: true, report })
      const error = await restoreError(database, selection.contents, additions)
      const what = `${JSON.stringify(filters)}\n${warnings}\n${sql}`
      // A partitioned table without its partitions can be restored, but not its rows.
      const missing = warnings.flatMap((text) => text.slice(text.indexOf(': ') + 2).split('; '))
      const onlyPartitions = missing.every((one) => /^table .*\.o\d+_\d+, needed by table/.test(one))
      if (warnings.length === 0) assert.equal(error, null, `${error}\n${what}`)
      else assert.ok(error !== null || onlyPartitions, `refused, and can be restored: ${what}`)
      outcomes[warnings.length === 0 ? 'restored' : 'refused'] += 1
    }
  })
}

test('the random filters led to both', () => {
  assert.ok(outcomes.restored > 0 && outcomes.refused > 0, JSON.stringify(outcomes))
})
