import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { type Bench, startBench } from '../benches/action-bench.ts'
import { longAgo, makePoints, mark, marker } from '../benches/lifecycle-bench.ts'
import { readTables } from '../postgres/compare.ts'
import { makeData } from '../postgres/sample.ts'
import { runAction } from '../runner/action.ts'
import { keyAt, storedDump, writeFiles } from '../sample-dumps.ts'
import { MADE, type Operation, PRUNED } from './operations.ts'

/** Everything that a crash could harm, looked at after each round and put back before the next. */
export type World = AsyncDisposable & {
  readonly bench: Bench
  /** A good dump of `app`, in both places. */
  readonly key: string
  readonly databases: readonly string[]
  /** Restores what an operation on a database may have changed. */
  renew(database: Operation['database']): Promise<void>
  /** What is broken, one line each: a mix, a promise without data, data that are not what was promised. */
  findDamage(): Promise<string[]>
  /** Whether a database is what it was (`old`), what it should become (`new`), or gone. */
  stateOf(database: string): Promise<'old' | 'new' | 'gone' | 'half gone' | 'a mix'>
  /** A day passes, and later runs sweep. */
  sweep(): Promise<void>
}

const NIGHTS = [1, 2, 3, 4].map((day) => keyAt(`2026-01-0${day}T02:00:00`, PRUNED))
const STORED = Object.assign({}, ...NIGHTS.map((key) => storedDump(key))) as Record<string, string>
const OLD = ['app', 'postgres', 'live', 'doomed', 'doomed__post', 'doomed__pre']

export async function makeWorld(): Promise<World> {
  await using scope = new AsyncDisposableStack()
  const bench = scope.use(await startBench())
  const { postgres, s3, folder } = bench
  await makeData(postgres, 'app', 2)
  await postgres.psql('app', 'create index on bulk (hash)')
  const key = await bench.dump('folder', 'app', { compression: 'none' })
  for (const name of [key, `${key}.json`]) await s3.write(`nightly/${name}`, readFileSync(join(folder, name)))
  const fresh = await readTables(postgres, 'app')
  const good = new Map([[key, readFileSync(join(folder, key))]])
  for (const [name, text] of Object.entries(STORED)) good.set(name, Buffer.from(text))
  const world = {
    ...{ bench, key, databases: OLD },
    renew: (database: Operation['database']) => renew(bench, database),
    findDamage: async () =>
      (await Promise.all([storedDamage(bench, good), damagedTemplates(bench, fresh)])).flat(),
    stateOf: (database: string) => stateOf(bench, database, fresh),
    sweep: () => sweep(bench),
  }
  for (const database of ['live', 'doomed'] as const) await world.renew(database)
  const resources = scope.move()
  return { ...world, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

async function renew(bench: Bench, database: Operation['database']): Promise<void> {
  const { postgres, s3, folder } = bench
  const targets = OLD.filter((name) => /^(live|doomed)/.test(name) && name.startsWith(database || ' '))
  const gone = (await postgres.databases()).filter((name) => !OLD.includes(name) || targets.includes(name))
  await Promise.all(gone.map((name) => postgres.psql('postgres', `drop database "${name}" with (force)`)))
  if (database === 'live') {
    await postgres.createDatabase('live')
    await postgres.psql('live', `create table bulk as select 'old' as state`)
  }
  if (database === 'doomed') await makePoints(bench, 'doomed')
  for (const name of [...s3.objects().keys()]) {
    const [, instance, database, config] = name.split('/')
    if (config === MADE || `${instance}/${database}/${config}` === PRUNED) await s3.remove(name)
  }
  for (const group of [PRUNED, `shop/app/${MADE}`])
    rmSync(join(folder, group), { recursive: true, force: true })
  writeFiles(folder, STORED)
  for (const [name, text] of Object.entries(STORED)) await s3.write(`nightly/${name}`, text)
}

async function stateOf({ postgres }: Bench, database: string, fresh: Map<string, unknown>) {
  const limit = await postgres.psql(
    'postgres',
    `select datconnlimit from pg_database where datname = '${database}'`,
  )
  if (limit === '') return 'gone'
  // How PostgreSQL marks one of which it may have deleted files (DATCONNLIMIT_INVALID_DB in pg_database.h).
  if (limit === '-2') return 'half gone'
  const tables = await readTables(postgres, database)
  if (JSON.stringify([...tables]) === JSON.stringify([...fresh])) return 'new'
  const table = database === 'live' ? 'bulk' : 'state'
  if (tables.size !== 1 || tables.get(`public.${table}`)?.rows !== 1) return 'a mix'
  const state = await postgres.psql(database, `select state from ${table}`)
  return ['old', 'second', 'first', 'dumped'].includes(state) ? 'old' : 'a mix'
}

/** A template by its name is whole. */
async function damagedTemplates({ postgres }: Bench, fresh: Map<string, unknown>): Promise<string[]> {
  const damage: string[] = []
  for (const name of await postgres.databases()) {
    if (!name.startsWith('pgclone_template_')) continue
    await postgres.psql('postgres', `alter database "${name}" allow_connections true`)
    const tables = await readTables(postgres, name)
    if (JSON.stringify([...tables]) !== JSON.stringify([...fresh])) damage.push(`${name} is not whole`)
  }
  return damage
}

/** Every manifest promises what is there. */
async function storedDamage({ folder, s3 }: Bench, good: ReadonlyMap<string, Buffer>): Promise<string[]> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const local = names.map((name) => [name, async () => readFileSync(join(folder, name))] as const)
  const remote = [...s3.objects().keys()].map((name) => [name, () => s3.read(name)] as const)
  const damage: string[] = []
  for (const files of [new Map(local), new Map(remote)]) {
    for (const [name, read] of files) {
      if (!name.endsWith('.dump.json')) continue
      const data = await files.get(name.slice(0, -'.json'.length))?.()
      if (!data) damage.push(`${name} promises data that are gone`)
      else if (!isPromised(data, JSON.parse(String(await read())), good))
        damage.push(`${name} promises other data than those that are there`)
    }
  }
  return damage
}

type Promised = { key: string; size: number; sha256: string }

/** Dumps that were there before are compared with themselves. */
function isPromised(
  data: Buffer,
  { key, size, sha256 }: Promised,
  good: ReadonlyMap<string, Buffer>,
): boolean {
  const known = good.get(key)
  if (known) return data.equals(known)
  return size === data.length && sha256 === createHash('sha256').update(data).digest('hex')
}

/** Everything becomes a day older, and what a killed server left unmarked has been seen once by then. */
async function sweep(bench: Bench): Promise<void> {
  const { postgres, s3, folder } = bench
  for (const name of (await postgres.databases()).filter((one) => one.includes('__pgclone_'))) {
    const kind = (await marker(bench, name))?.kind ?? 'staging'
    await mark(bench, name, { kind, at: longAgo })
  }
  for (const upload of s3.uploads()) upload.initiated = new Date(longAgo)
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), new Date(longAgo), new Date(longAgo))
  const drop = bench.inputs('list', 's3', 'nothing_to_drop', { command: 'drop' })
  const prune = { 'dump-key': 'nobody', 'keep-last': '1', command: 'prune' }
  const runs = await Promise.all([runAction(drop), runAction(bench.inputs('list', 'folder', '', prune))])
  for (const run of runs) if (run.exitCode !== 0) throw new Error(`The sweep failed:\n${run.log}`)
}
