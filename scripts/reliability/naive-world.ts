import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Postgres, startPostgres } from '../../lab/postgres/postgres.ts'
import { makeData } from '../../lab/postgres/sample.ts'
import { descendants, kill } from '../../lab/processes.ts'
import { startProxy } from '../../lab/proxy.ts'
import { type S3, startS3 } from '../../lab/s3/s3.ts'
import { tempFolder } from '../../lab/temp.ts'

/** Where the pipelines run that people write by hand: two servers, a store, and a shell. */
export type NaiveWorld = {
  postgres: Postgres
  other: Postgres
  s3: S3
  proxy: Awaited<ReturnType<typeof startProxy>>
  folder: string
  /** Bytes and rows of a whole dump of `app`. */
  whole: { bytes: number; rows: number }
  /** Runs a script of bash in the folder; ends it after `patience` milliseconds. */
  shell(script: string, env?: Record<string, string>, patience?: number): Promise<Ended>
  /** Starts one, for somebody to interfere with. */
  start(script: string, env?: Record<string, string>): Started
}

export type Ended = { code: number | null; hung: boolean; output: string }
export type Started = { child: ChildProcess; done: Promise<Ended> }

/** What everybody writes. `live` is the database that people work with. */
export const DUMP = 'pg_dump -Fc -Z0 | aws s3 cp - s3://backups/naive.dump'
export const RESTORE = 'aws s3 cp s3://backups/naive.dump - | pg_restore --clean --if-exists --dbname=live'

export async function withNaiveWorld<Result>(work: (world: NaiveWorld) => Promise<Result>): Promise<Result> {
  await using postgres = await startPostgres()
  await using other = await startPostgres()
  await using s3 = await startS3()
  await using proxy = await startProxy(postgres)
  const folder = tempFolder('naive').path
  await makeData(postgres, 'app', 14)
  const start: NaiveWorld['start'] = (script, env = {}) =>
    startShell(script, folder, environment(postgres, s3, env))
  const shell: NaiveWorld['shell'] = async (script, env, patience = 30_000) => {
    const started = start(script, env)
    const late = sleep(patience, 'late' as const)
    const first = await Promise.race([started.done, late])
    if (first !== 'late') return first
    killAll(started)
    return { ...(await started.done), hung: true }
  }
  const rows = Number(await postgres.psql('app', 'select count(*) from bulk'))
  const world = { postgres, other, s3, proxy, folder, whole: { bytes: 0, rows }, shell, start }
  await shell(DUMP)
  world.whole.bytes = s3.objects().get('naive.dump')!.size
  return await work(world)
}

function environment(postgres: Postgres, s3: S3, more: Record<string, string>): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env
  return {
    PATH,
    HOME,
    LC_ALL: 'C',
    ...postgres.env('app'),
    ...s3.env,
    AWS_ENDPOINT_URL: s3.endpoint,
    ...more,
  }
}

function startShell(script: string, cwd: string, env: Record<string, string>): Started {
  const child = spawn('bash', ['-c', script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  const done = once(child, 'exit').then(async () => {
    await sleep(50)
    return { code: child.exitCode, hung: false, output }
  })
  return { child, done }
}

/** A shell and everything that it started. */
export function killAll({ child }: Started): void {
  for (const { pid } of descendants(child.pid!)) kill(pid, 'SIGKILL')
  kill(child.pid!, 'SIGKILL')
}

/** Waits for a program of a pipeline, and kills it. */
export async function killProgram(started: Started, program: RegExp): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1, await sleep(20)) {
    const found = descendants(started.child.pid!).find(({ argv }) => program.test(argv.slice(0, 2).join(' ')))
    if (!found) continue
    kill(found.pid, 'SIGKILL')
    return
  }
}

/** Waits until a look succeeds, or for twenty seconds. */
export async function until(look: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !look(); tries += 1) await sleep(20)
}

/** The live database before a restore: one table with one row. */
export async function makeLive({ postgres }: NaiveWorld): Promise<void> {
  await postgres.psql('postgres', 'drop database if exists live with (force)')
  await postgres.createDatabase('live')
  await postgres.psql('live', `create table bulk as select 'old' as state`)
}

/** What a user of the live database finds. */
export async function describeLive({ postgres, whole }: NaiveWorld): Promise<string> {
  const count = async () => {
    const old = await postgres.psql(
      'live',
      `select count(*) from pg_attribute where attrelid = 'bulk'::regclass and attname = 'state'`,
    )
    const rows = Number(await postgres.psql('live', 'select count(*) from bulk'))
    return old === '1' ? 'the live table is the old one' : `the live table has ${rows} of ${whole.rows} rows`
  }
  return count().catch((error: Error) => `the live database answers: ${error.message}`)
}

export function describeEnd({ code, hung }: Ended): string {
  if (hung) return 'still waits when we end it'
  return `exit code ${code ?? 'none'}`
}

/** What the store has under the name of the dump. */
export function describeObject({ s3, whole }: NaiveWorld): string {
  const object = s3.objects().get('naive.dump')
  const parts = s3.uploads().length > 0 ? `, ${s3.uploads().length} unfinished upload left` : ''
  if (!object) return `no object${parts}`
  const size =
    object.size === whole.bytes
      ? 'the whole object'
      : `an object of ${object.size} bytes instead of ${whole.bytes}`
  return `${size}${parts}`
}
