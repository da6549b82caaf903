import { messageOf } from '../errors.ts'
import { notePending } from '../leftovers.ts'
import { log } from '../report/log.ts'
import { DatabaseError, identifier, literal, OBJECT_IN_USE, type Session } from './connection/session.ts'
import { createDatabase, type Locale } from './locale.ts'
import { formatMarker, type Marker } from './marker.ts'
import { temporaryName } from './names.ts'
import { commentStatement, type Properties } from './properties.ts'
import { dropDatabase, type Server, tryLock } from './server.ts'
import { beginWork } from './work-settings.ts'

/**
 * A database under a unique temporary name. It is dropped at the end of its scope, unless it was released by then.
 */
export class TemporaryDatabase implements AsyncDisposable {
  readonly name: string
  /** Whether it is a copy of files, which includes the planner's statistics of its original. */
  readonly copied: boolean
  readonly #maker: Maker
  readonly #forget: () => void
  #kept = false

  private constructor(maker: Maker, name: string, copied: boolean) {
    this.#maker = maker
    this.name = name
    this.copied = copied
    this.#forget = notePending({ kind: 'database', name })
  }

  /** Records its name for the post step and locks it, so that no sweep drops it during this run. */
  static async reserve(
    maker: Maker,
    target: string,
    { copied }: { copied: boolean },
  ): Promise<TemporaryDatabase> {
    const name = temporaryName(target)
    await tryLock(maker.session, name)
    return new TemporaryDatabase(maker, name, copied)
  }

  /** Keeps the database, which has got another name and purpose by now. */
  release(): void {
    this.#kept = true
    this.#forget()
  }

  /** Drops the database. A failure is only a warning, because the post step tries again. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#kept) return
    const { session, server } = this.#maker
    try {
      await dropDatabase(session, server, this.name)
      this.#forget()
    } catch (error) {
      log.warning(`Could not drop the temporary database "${this.name}": ${messageOf(error)}`)
    }
  }
}

/** What it takes to make databases: a session, its server, and the workflow run that the markers name. */
export type Maker = { session: Session; server: Server; run: string }

/** Creates the empty database into which a dump is restored beside the live one, under the settings of the live one. */
export async function createStaging(
  maker: Maker,
  target: string,
  wanted: { locale: Locale | null; tablespace: string | null; settings: Properties['settings'] },
): Promise<TemporaryDatabase> {
  const { session, server, run } = maker
  await using unfinished = new AsyncDisposableStack()
  const staging = unfinished.use(await TemporaryDatabase.reserve(maker, target, { copied: false }))
  const refused = await createDatabase(session, server, staging.name, wanted)
  if (refused)
    log.warning(
      `The server cannot create a database with the locale of the dump (${refused}), so sort orders may differ; install that locale on the server to avoid it`,
    )
  await commentDatabase(session, staging.name, markerText('staging', target, run))
  await beginWork(maker, staging.name, wanted.settings)
  unfinished.move()
  return staging
}

/** Smaller copies go through the write-ahead log, which saves the server two checkpoints. */
const SMALL_DATABASE_BYTES = 64 * 1024 * 1024

/** Returns the statements that make a file copy of a database fastest on this server. */
async function copyStatements(
  { session, server }: Maker,
  from: string,
  to: { name: string; tablespace: string | null },
): Promise<string[]> {
  const [row] = await session.query<{ size: number; tablespace: string }>(`
    SELECT pg_database_size(d.oid) AS size, t.spcname AS tablespace
    FROM pg_database AS d JOIN pg_tablespace AS t ON t.oid = d.dattablespace WHERE d.datname = ${literal(from)}`)
  // Naming the default tablespace explicitly needs a right on it that only superusers have by default.
  const elsewhere = to.tablespace !== null && to.tablespace !== row!.tablespace
  const place = elsewhere ? ` TABLESPACE ${identifier(to.tablespace!)}` : ''
  const create = `CREATE DATABASE ${identifier(to.name)} TEMPLATE ${identifier(from)}${place}`
  if (server.major < 15 || row!.size < SMALL_DATABASE_BYTES) return [create]
  // Since 18 the file system may share the blocks of both files; where it cannot, the statement fails.
  const clone = server.major >= 18 ? [`SET file_copy_method = clone`] : []
  return [...clone, `${create} STRATEGY FILE_COPY`]
}

/**
 * Copies the files of a database that has no sessions. It is far faster than a restore, because indexes are copied too.
 *
 * @param tablespace the tablespace of the copy; null means that of the original
 */
export async function copyDatabase(
  maker: Maker,
  from: string,
  target: string,
  tablespace: string | null,
): Promise<TemporaryDatabase> {
  const { session, run } = maker
  await using unfinished = new AsyncDisposableStack()
  const copy = unfinished.use(await TemporaryDatabase.reserve(maker, target, { copied: true }))
  await runCopy(session, await copyStatements(maker, from, { name: copy.name, tablespace }))
  await commentDatabase(session, copy.name, markerText('staging', target, run))
  unfinished.move()
  return copy
}

async function runCopy(session: Session, statements: string[]): Promise<void> {
  try {
    await session.execute(...statements)
  } catch (error) {
    if (statements.length === 1 || (error instanceof DatabaseError && error.sqlstate === OBJECT_IN_USE))
      throw error
    await session.execute('SET file_copy_method = copy', statements.at(-1)!)
  }
}

/**
 * Returns a marker with the current time, as the comment of a database.
 *
 * @param lifetime milliseconds after which the database expires; null if it does not
 */
export function markerText(
  kind: Marker['kind'],
  of: string,
  run: string,
  lifetime: number | null = null,
): string {
  const now = Date.now()
  const expires = lifetime === null ? {} : { expires: new Date(now + lifetime).toISOString() }
  return formatMarker({ kind, of, at: new Date(now).toISOString(), run, ...expires })
}

/** Sets the comment of a database. */
export function commentDatabase(session: Session, database: string, text: string): Promise<void> {
  return session.execute(commentStatement(database, text))
}
