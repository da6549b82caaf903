import { join } from 'node:path'
import { after } from 'node:test'
import { type Postgres, type PostgresOptions, quoteIdentifier, startPostgres } from '../postgres/postgres.ts'
import type { Session } from '../postgres/session.ts'
import { type ActionOptions, type ActionRun, type StartedAction, startAction } from '../runner/action.ts'
import { succeeded } from '../runner/outcome.ts'
import { tempFolder } from '../temp.ts'
import { until } from '../until.ts'

export type Inputs = Record<string, string>

/** One server, a folder for dumps, and the built Action between them. */
export type LifecycleBench = AsyncDisposable & {
  readonly postgres: Postgres
  readonly folder: string
  start(command: string, database: string, more?: Inputs, options?: ActionOptions): StartedAction
  /** Runs a step; whether it succeeds is the caller's to judge. */
  run(command: string, database: string, more?: Inputs, options?: ActionOptions): Promise<ActionRun>
  /** Dumps a database, which must succeed, and returns the key. */
  dump(database: string, more?: Inputs): Promise<string>
  /** Creates a database with one table whose only row is the given text. */
  make(database: string, state: string): Promise<void>
  state(database: string): Promise<string>
}

/** What the functions below need of a bench. */
type OnServer = { readonly postgres: Postgres }

export async function startLifecycleBench(options: PostgresOptions = {}): Promise<LifecycleBench> {
  await using scope = new AsyncDisposableStack()
  const postgres = scope.use(await startPostgres(options))
  const folder = join(scope.use(tempFolder('dumps')).path, 'dumps')
  const resources = scope.move()
  const start: LifecycleBench['start'] = (command, database, more = {}, actionOptions = {}) => {
    const where = database ? { 'database-url': postgres.url(database) } : {}
    const inputs = {
      command,
      'install-tools': 'never',
      retries: '0',
      'storage-location': folder,
      ...where,
      ...more,
    }
    return startAction(inputs, actionOptions)
  }
  return {
    ...{ postgres, folder, start },
    run: (...step) => start(...step).done,
    dump: async (database, more) => succeeded(await start('dump', database, more).done).outputs['dump-key']!,
    make: (database, state) => makeState(postgres, database, state),
    state: (database) => postgres.psql(database, 'select state from state'),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** A bench for the tests of one file, with a database `source` whose state is `dumped`, and the key of its dump. */
export async function useDumpedSource(): Promise<{ bench: LifecycleBench; key: string }> {
  const bench = await startLifecycleBench()
  after(() => bench[Symbol.asyncDispose]())
  await bench.make('source', 'dumped')
  return { bench, key: await bench.dump('source') }
}

async function makeState(postgres: Postgres, database: string, state: string): Promise<void> {
  await postgres.createDatabase(database)
  await postgres.psql(database, `create table state as select '${state}' as state`)
}

/** A row of pg_database with its comment and settings, without what changes by itself. */
export async function catalogue({ postgres }: OnServer): Promise<unknown[]> {
  return await postgres.query(
    'postgres',
    `select to_jsonb(d) - '{datfrozenxid,datminmxid}'::text[] as row, shobj_description(oid, 'pg_database') as comment,
       (select jsonb_agg(setconfig) from pg_db_role_setting where setdatabase = d.oid) as settings
     from pg_database d order by datname`,
  )
}

export async function comment({ postgres }: OnServer, database: string): Promise<string | null> {
  const sql = "select shobj_description(oid, 'pg_database') as text from pg_database where datname = $1"
  const [row] = await postgres.query<{ text: string | null }>('postgres', sql, [database])
  return row?.text ?? null
}

export type Marker = { kind: string; of: string; at: string; run: string }

/** What the Action wrote about a database, or null. */
export async function marker(bench: OnServer, database: string): Promise<Marker | null> {
  const text = await comment(bench, database)
  return text?.startsWith('pgclone-action ') ? JSON.parse(text.slice('pgclone-action '.length)) : null
}

/** Writes what the Action would write, changed as a test wants it. */
export async function mark(bench: OnServer, database: string, change: Partial<Marker>): Promise<void> {
  const old = (await marker(bench, database)) ?? { kind: 'clone', of: database, at: longAgo, run: '' }
  const text = `pgclone-action ${JSON.stringify({ ...old, ...change })}`.replaceAll("'", "''")
  await bench.postgres.psql('postgres', `comment on database ${quoteIdentifier(database)} is '${text}'`)
}

/** A clone with both restore points, in the states `second`, `first` and `dumped`, as two restores would make it. */
export async function makePoints(bench: OnServer, name: string): Promise<void> {
  const all = { [name]: 'second', [`${name}__pre`]: 'first', [`${name}__post`]: 'dumped' }
  for (const [database, state] of Object.entries(all)) {
    await makeState(bench.postgres, database, state)
    await mark(bench, database, { kind: database === name ? 'clone' : 'point', of: name, at: longAgo })
  }
}

/** A time long enough ago for a sweep. */
export const longAgo = '2026-01-01T00:00:00.000Z'

/** Databases with names that the Action gives for the time of a run. */
export async function temporaries({ postgres }: OnServer): Promise<string[]> {
  return (await postgres.databases()).filter((name) => name.includes('__pgclone_'))
}

/**
 * Lets nobody create, rename or alter a database, so that a run waits in the midst of doing it. The lock is on a
 * catalogue of the whole cluster; reading goes on.
 */
export async function holdDatabases({ postgres }: OnServer): Promise<Session> {
  const session = await postgres.connect('postgres')
  await session.query('begin; lock table pg_database in share mode')
  return session
}

/** Waits until a statement of the Action waits for a lock. */
export async function waitsFor({ postgres }: OnServer, statement: string): Promise<void> {
  const sql = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like $1"
  await until(
    async () => (await postgres.query('postgres', sql, [`${statement}%`])).length > 0,
    `${statement} to wait`,
  )
}

/**
 * Lets the Action go on, one statement at a time, up to one that creates, renames or alters a database in a given way.
 *
 * @param held what holds it now
 */
export async function holdAt(bench: OnServer, statement: string, held: Session): Promise<Session> {
  const { postgres } = bench
  const sql =
    "select query from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'pgclone-action'"
  for (let session = held; ; ) {
    let query = ''
    await until(async () => {
      query = (await postgres.query<{ query: string }>('postgres', sql))[0]?.query ?? ''
      return query !== ''
    }, `${statement} to wait`)
    if (query.startsWith(statement)) return session
    // The lock is given in the order in which it was asked for: to one statement of the Action, and then to us again.
    const next = holdDatabases(bench)
    await waitsFor(bench, 'begin; lock table pg_database')
    await session.end()
    session = await next
  }
}

/** Waits until no session of the Action is left on the server. */
export async function allGone({ postgres }: OnServer): Promise<void> {
  const sql =
    "select 1 from pg_stat_activity where application_name ~ 'pgclone|pg_dump|pg_restore|psql' and usesysid is not null"
  await until(async () => (await postgres.query('postgres', sql)).length === 0, 'the sessions to end')
}

/** A session that comes back whenever it is ended, as an application's does. Ends with the scope. */
export function reconnect({ postgres }: OnServer, database: string): AsyncDisposable {
  let on = true
  const loop = (async () => {
    while (on) {
      const session = await postgres.connect(database).catch(() => null)
      await session?.query('select pg_sleep(0.02)').catch(() => null)
      await session?.end()
    }
  })()
  return {
    async [Symbol.asyncDispose]() {
      on = false
      await loop
    },
  }
}
