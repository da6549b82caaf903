import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { type Bench, startBench } from '../e2e/bench.ts'
import { longAgo, makePoints, mark, marker } from '../lifecycle/bench.ts'
import { runAction } from '../support/action.ts'
import { readTables } from '../support/compare.ts'
import { makeData } from '../support/sample.ts'
import { keyAt, storedDump, writeFiles } from '../support/stored.ts'
import { MADE, PRUNED } from './operations.ts'

/** Everything that a crash could harm, put back before each round and looked at after it. */
export type World = AsyncDisposable & {
  readonly bench: Bench
  /** A good dump of `app`, in both places. */
  readonly key: string
  readonly databases: readonly string[]
  reset(): Promise<void>
  /** What is broken, one line each: a mix, a promise without data, data that are not what was promised. */
  findDamage(): Promise<string[]>
  /** Whether a database is what it was (`old`), what it should become (`new`), or gone. */
  stateOf(database: string): Promise<'old' | 'new' | 'gone' | 'a mix'>
  /** A day passes, and later runs sweep. */
  sweep(): Promise<void>
}

const NIGHTS = [1, 2, 3, 4].map((day) => keyAt(`2026-01-0${day}T02:00:00`, PRUNED))
const STORED = Object.assign({}, ...NIGHTS.map((key) => storedDump(key))) as Record<string, string>

export async function makeWorld(): Promise<World> {
  await using scope = new AsyncDisposableStack()
  const bench = scope.use(await startBench())
  const { postgres, s3, folder } = bench
  await makeData(postgres, 'app', 14)
  await postgres.psql('app', 'create index on bulk (hash)')
  const key = await bench.dump('folder', 'app', { compression: 'none' })
  for (const name of [key, `${key}.json`]) await s3.write(`nightly/${name}`, readFileSync(join(folder, name)))
  const contents = { new: await readTables(postgres, 'app') }
  const resources = scope.move()
  return {
    ...{ bench, key, databases: ['app', 'doomed', 'doomed__post', 'doomed__pre', 'live', 'postgres'] },
    reset: () => reset(bench),
    findDamage: async () => [
      ...(await storedDamage(bench)),
      ...(await damagedTemplates(bench, contents.new)),
    ],
    stateOf: (database) => stateOf(bench, database, contents.new),
    sweep: () => sweep(bench),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

async function reset(bench: Bench): Promise<void> {
  const { postgres, s3, folder } = bench
  for (const name of await postgres.databases())
    if (!['app', 'postgres'].includes(name))
      await postgres.psql('postgres', `drop database "${name}" with (force)`)
  const lifecycle = lifecycleBench(bench)
  await postgres.createDatabase('live')
  await postgres.psql('live', `create table bulk as select 'old' as state`)
  await makePoints(lifecycle, 'doomed')
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
  if (!(await postgres.databases()).includes(database)) return 'gone'
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
async function storedDamage({ folder, s3 }: Bench): Promise<string[]> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const local = names.map((name) => [name, async () => readFileSync(join(folder, name))] as const)
  const remote = [...s3.objects().keys()].map((name) => [name, () => s3.read(name)] as const)
  const damage: string[] = []
  for (const files of [new Map(local), new Map(remote)]) {
    for (const [name, read] of files) {
      if (!name.endsWith('.dump.json')) continue
      const data = await files.get(name.slice(0, -'.json'.length))?.()
      if (!data) {
        damage.push(`${name} promises data that are gone`)
        continue
      }
      const { size, sha256, key } = JSON.parse(String(await read()))
      const made = STORED[key]
      const digest = createHash('sha256').update(data).digest('hex')
      const whole = made ? data.equals(Buffer.from(made)) : size === data.length && sha256 === digest
      if (!whole) damage.push(`${name} promises other data than those that are there`)
    }
  }
  return damage
}

function lifecycleBench({ postgres, folder }: Bench): Parameters<typeof mark>[0] {
  const make = async (database: string, state: string) => {
    await postgres.createDatabase(database)
    await postgres.psql(database, `create table state as select '${state}' as state`)
  }
  return { postgres, folder, make } as Parameters<typeof mark>[0]
}

/** Everything becomes a day older, and what a killed server left unmarked has been seen once by then. */
async function sweep(bench: Bench): Promise<void> {
  const { postgres, s3, folder } = bench
  const lifecycle = lifecycleBench(bench)
  for (const name of (await postgres.databases()).filter((one) => one.includes('__pgclone_'))) {
    const kind = (await marker(lifecycle, name))?.kind ?? 'staging'
    await mark(lifecycle, name, { kind, at: longAgo })
  }
  for (const upload of s3.uploads()) upload.initiated = new Date(longAgo)
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), new Date(longAgo), new Date(longAgo))
  const drop = bench.inputs('list', 's3', 'nothing_to_drop', { command: 'drop' })
  const prune = { 'dump-key': 'nobody', 'keep-last': '1', command: 'prune' }
  const runs = await Promise.all([runAction(drop), runAction(bench.inputs('list', 'folder', '', prune))])
  for (const run of runs) if (run.exitCode !== 0) throw new Error(`The sweep failed:\n${run.log}`)
}
