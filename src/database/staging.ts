import { messageOf } from '../errors.ts'
import { notePending } from '../leftovers.ts'
import { log } from '../report/log.ts'
import { DatabaseError, identifier, literal, OBJECT_IN_USE, type Session } from './connection/session.ts'
import { createDatabase, type Locale } from './locale.ts'
import { formatMarker, type Marker } from './marker.ts'
import { temporaryName } from './names.ts'
import { commentStatement } from './properties.ts'
import { dropDatabase, type Server, tryLock } from './server.ts'

/**
 * A database that lives only during a run, under a name that nobody else uses. It is dropped at the end of its scope,
 * unless it has become something else by then.
 */
export class TemporaryDatabase implements AsyncDisposable {
  readonly name: string
  /** Whether it is a copy of files, which has the planner's statistics of its original. */
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

  /** Notes its name for the post step, and locks it, so that no sweep takes it for a dead run's while we live. */
  static async reserve(
    maker: Maker,
    target: string,
    { copied }: { copied: boolean },
  ): Promise<TemporaryDatabase> {
    const name = temporaryName(target)
    await tryLock(maker.session, name)
    return new TemporaryDatabase(maker, name, copied)
  }

  /** Keeps it: it has become something that this run must not drop. */
  release(): void {
    this.#kept = true
    this.#forget()
  }

  /** Drops it. Does not throw: what could not be dropped is left to the post step, with a warning. */
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

/** Who makes databases, where, and for which workflow run. */
export type Maker = { session: Session; server: Server; run: string }

/**
 * Creates the empty database into which a dump is restored beside the live one. Its sessions do not wait for the disk: if
 * the server dies, the database is lost anyway, and the swap flushes all that came before it.
 */
export async function createStaging(
  maker: Maker,
  target: string,
  wanted: { locale: Locale | null; tablespace: string | null },
): Promise<TemporaryDatabase> {
  const { session, server, run } = maker
  await using unfinished = new AsyncDisposableStack()
  const staging = unfinished.use(await TemporaryDatabase.reserve(maker, target, { copied: false }))
  const refused = await createDatabase(session, server, staging.name, wanted)
  if (refused)
    log.warning(
      `The server cannot make a database with the locale of the dump (${refused}); sorting may differ`,
    )
  await commentDatabase(session, staging.name, markerText('staging', target, run))
  await session.execute(`ALTER DATABASE ${identifier(staging.name)} SET synchronous_commit = off`)
  unfinished.move()
  return staging
}

/** Makes the sessions of a staging database that is to go live wait for the disk again, as the server is set. */
export async function restoreDurability(
  { session }: Maker,
  { name, copied }: TemporaryDatabase,
): Promise<void> {
  // A copy has the settings of no other database.
  if (!copied) await session.execute(`ALTER DATABASE ${identifier(name)} RESET synchronous_commit`)
}

/** Copies smaller than this are made through the write-ahead log, which spares the server two checkpoints. */
const SMALL_DATABASE_BYTES = 64 * 1024 * 1024

/** The size of a database, and how a file copy of it is made fastest on this server. */
async function copyStatements(
  { session, server }: Maker,
  from: string,
  to: { name: string; tablespace: string | null },
): Promise<string[]> {
  const [row] = await session.query<{ size: number; tablespace: string }>(`
    SELECT pg_database_size(d.oid) AS size, t.spcname AS tablespace
    FROM pg_database AS d JOIN pg_tablespace AS t ON t.oid = d.dattablespace WHERE d.datname = ${literal(from)}`)
  // Naming the place where it goes anyway needs a right on it that only superusers have by default.
  const elsewhere = to.tablespace !== null && to.tablespace !== row!.tablespace
  const place = elsewhere ? ` TABLESPACE ${identifier(to.tablespace!)}` : ''
  const create = `CREATE DATABASE ${identifier(to.name)} TEMPLATE ${identifier(from)}${place}`
  if (server.major < 15 || row!.size < SMALL_DATABASE_BYTES) return [create]
  // From 18 the file system may share the blocks of both files; where it cannot, the server says so.
  const clone = server.major >= 18 ? [`SET file_copy_method = clone`] : []
  return [...clone, `${create} STRATEGY FILE_COPY`]
}

/**
 * A file copy of a database that has no sessions; far faster than a restore, because it copies indexes as they are.
 *
 * @param tablespace where the copy goes; null is where the original is
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

/** A mark of this moment, as the comment of a database. */
export function markerText(kind: Marker['kind'], of: string, run: string): string {
  return formatMarker({ kind, of, at: new Date().toISOString(), run })
}

/** Gives a database a comment, in the place of the one that it has. */
export function commentDatabase(session: Session, database: string, text: string): Promise<void> {
  return session.execute(commentStatement(database, text))
}
