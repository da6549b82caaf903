import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { type Connection, onDatabase } from './connection/connection.ts'
import { DatabaseError, identifier, literal, Session, type SessionOptions } from './connection/session.ts'

/** What a first look at a server tells us. */
export type Server = {
  /** `15.18`. */
  version: string
  /** 15. */
  major: number
  role: string
  superuser: boolean
  createdb: boolean
  /** A standby, where a long query can be cancelled by recovery. */
  standby: boolean
}

/** Connects nothing: looks through an open session. */
export async function lookAtServer(session: Session): Promise<Server> {
  const [row] = await session.query<Omit<Server, 'major'> & { number: number }>(`
    SELECT current_setting('server_version_num')::int AS number,
           split_part(current_setting('server_version'), ' ', 1) AS version,
           current_user AS role, rolsuper AS superuser, rolcreatedb OR rolsuper AS createdb,
           pg_is_in_recovery() AS standby
    FROM pg_roles WHERE rolname = current_user`)
  const { number, ...server } = row!
  return { ...server, major: Math.floor(number / 10000) }
}

/** The size of a session's database in bytes, an upper estimate of the dump's size. */
export async function databaseSize(session: Session): Promise<number> {
  const [row] = await session.query<{ size: number }>('SELECT pg_database_size(current_database()) AS size')
  return row!.size
}

/** Opens a session where databases can be created and renamed: the maintenance database, else template1. */
export async function openMaintenance(
  connection: Connection,
  maintenance: string,
  options: SessionOptions,
): Promise<Session> {
  await Session.refuseService(connection, options)
  const candidates = [maintenance, 'template1'].filter((name) => name !== connection.database)
  let failure: unknown
  for (const name of candidates) {
    try {
      return await Session.open(onDatabase(connection, name), options)
    } catch (error) {
      failure ??= error
      // Only a missing database is a reason to look elsewhere; a wrong password is the same everywhere.
      if (!/there is no database|may not connect|closed to connections/.test((error as Error).message)) break
    }
  }
  throw failure
}

/** Any number that is ours alone, for the first half of a lock's key: "pgcl" in ASCII. */
const LOCK_CLASS = 0x7067636c

/** The second half. Not the server's `hashtext`, whose result depends on the encoding of the session's database. */
function lockNumber(name: string): number {
  return createHash('sha256').update(name).digest().readInt32BE()
}

const LOCK_ATTEMPTS = 4

/**
 * Claims a name on the whole server, for the life of the session or until `unlock`; false when another session has it.
 *
 * An advisory lock belongs to the database that its session is in, and two runs may be in two: by another
 * `maintenance-database`, or by `swap: false`. `pg_locks` shows those of all databases. Who sees another one lets go;
 * when two came at the same moment both do, so that they try again, each after a time of its own.
 */
export async function tryLock(session: Session, name: string): Promise<boolean> {
  const key = `${LOCK_CLASS}, ${lockNumber(name)}`
  for (let attempt = 1; ; attempt += 1) {
    const [row] = await session.query<{ locked: boolean }>(`SELECT pg_try_advisory_lock(${key}) AS locked`)
    if (!row!.locked) return false
    if (!(await isLockedElsewhere(session, name))) return true
    await unlock(session, name)
    if (attempt === LOCK_ATTEMPTS) return false
    await wait(20 + Math.random() * 200)
  }
}

async function isLockedElsewhere(session: Session, name: string): Promise<boolean> {
  // The view shows both halves as unsigned numbers, and 2 for a key of two halves.
  const rows = await session.query(`
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND pid <> pg_backend_pid()
      AND classid::bigint = ${LOCK_CLASS} AND objid::bigint = ${lockNumber(name) >>> 0}`)
  return rows.length > 0
}

/** Gives a lock of `tryLock` back, once for each time it was taken. */
export async function unlock(session: Session, name: string): Promise<void> {
  await session.query(`SELECT pg_advisory_unlock(${LOCK_CLASS}, ${lockNumber(name)})`)
}

/**
 * Claims a target, so that two runs never swap the same database.
 *
 * @throws an Error when another run has it
 */
export async function lockTarget(session: Session, database: string): Promise<void> {
  if (await tryLock(session, database)) return
  throw new Error(
    `Another run of this action is working on "${database}" right now; try again when it has ended`,
  )
}

/** What tells one running server from another, whatever address it was reached by, and the name of the session's database there. */
export type Identity = { started: string; systemIdentifier: string | null; database: string }

/**
 * Reads the cluster's own number and the microsecond of its start as numbers, which no setting formats in another way.
 *
 * @throws an Error when the server does not say when it started, because then nothing tells it from another
 */
export async function readIdentity(session: Session): Promise<Identity> {
  const started = session.query<Omit<Identity, 'systemIdentifier'>>(`
    SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text AS started,
           current_database() AS database`)
  const row = await started.then(
    ([found]) => found!,
    (error: Error) => {
      throw new Error(
        `The server does not tell its role when it started, so that source and target cannot be told apart: ${error.message}. Grant EXECUTE on pg_postmaster_start_time()`,
        { cause: error },
      )
    },
  )
  // Managed servers may keep this one to themselves.
  const identifier = session.query<{ id: string }>(
    'SELECT system_identifier::text AS id FROM pg_control_system()',
  )
  const systemIdentifier = await identifier.then(([found]) => found!.id).catch(() => null)
  return { ...row, systemIdentifier }
}

/** The same running server. A standby has its primary's identifier and started at another microsecond. */
export function isSameServer(a: Identity, b: Identity): boolean {
  const sameIdentifier =
    a.systemIdentifier === null || b.systemIdentifier === null || a.systemIdentifier === b.systemIdentifier
  return a.started === b.started && sameIdentifier
}

/** Sessions in a database, other than our own. */
export async function countSessions(session: Session, database: string): Promise<number> {
  const [row] = await session.query<{ sessions: number }>(
    `SELECT count(*) AS sessions FROM pg_stat_activity WHERE datname = ${literal(database)} AND usesysid IS NOT NULL AND pid <> pg_backend_pid()`,
  )
  return row!.sessions
}

/** Ends the sessions of all users in a database, but for our own. */
export async function endSessions(session: Session, database: string): Promise<void> {
  await session.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${literal(database)} AND usesysid IS NOT NULL AND pid <> pg_backend_pid()`,
  )
}

/** Drops a database with everybody in it. A database that is not there is fine. */
export async function dropDatabase(session: Session, server: Server, name: string): Promise<void> {
  const quoted = identifier(name)
  if (server.major >= 13) return session.execute(`DROP DATABASE IF EXISTS ${quoted} WITH (FORCE)`)
  try {
    await session.execute(`ALTER DATABASE ${quoted} ALLOW_CONNECTIONS false`)
  } catch (error) {
    if (error instanceof DatabaseError && error.sqlstate === '3D000') return
    throw error
  }
  await endSessions(session, name)
  await session.execute(`DROP DATABASE IF EXISTS ${quoted}`)
}
