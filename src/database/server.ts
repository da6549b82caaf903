import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import { type Connection, onDatabase } from './connection/connection.ts'
import {
  DatabaseError,
  identifier,
  literal,
  OBJECT_IN_USE,
  Session,
  type SessionOptions,
} from './connection/session.ts'
import { templateStatement } from './properties.ts'

/** A server as the role of the session sees it. */
export type Server = {
  /** `15.18`. */
  version: string
  /** 15. */
  major: number
  role: string
  superuser: boolean
  createdb: boolean
  /** Whether it is a standby, on which recovery can cancel a long query. */
  standby: boolean
}

/** Reads version, role and state of the server behind an open session. */
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

/** Returns the size of the session's database in bytes. */
export async function databaseSize(session: Session): Promise<number> {
  const [row] = await session.query<{ size: number }>('SELECT pg_database_size(current_database()) AS size')
  return row!.size
}

/**
 * Opens a session from which databases can be created and renamed: in the maintenance database, else in the target if it
 * is kept, else in template1. There a session is in the way of every CREATE DATABASE.
 */
export async function openMaintenance(
  connection: Connection,
  maintenance: string,
  { keepsTarget = false, ...options }: SessionOptions & { keepsTarget?: boolean },
): Promise<Session> {
  await Session.refuseService(connection, options)
  const candidates = keepsTarget
    ? [maintenance, connection.database, 'template1']
    : [maintenance, 'template1'].filter((name) => name !== connection.database)
  let failure: unknown
  for (const name of candidates) {
    try {
      return await Session.open(onDatabase(connection, name), options)
    } catch (error) {
      failure ??= error
      // Only a missing or closed database is a reason to try the next one. A wrong password is wrong everywhere.
      if (!/there is no database|may not connect|closed to connections/.test(messageOf(error))) break
    }
  }
  throw failure
}

/** The first half of the key of each of this action's advisory locks: "pgcl" in ASCII. */
const LOCK_CLASS = 0x7067636c

/** Returns the second half. The server's `hashtext` would depend on the encoding of the session's database. */
function lockNumber(name: string): number {
  return createHash('sha256').update(name).digest().readInt32BE()
}

const LOCK_ATTEMPTS = 4

/**
 * Locks a name on the whole server until the session ends or `unlock` is called.
 *
 * An advisory lock belongs to the database of its session, and two runs may use two databases because of
 * `maintenance-database` or `swap: false`. `pg_locks` shows the locks of all databases, so a session that sees the same
 * lock elsewhere releases its own. When two sessions do so at the same moment, both retry after a random delay.
 *
 * @returns false when another session holds the lock
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
  const rows = await session.query(locksOf([name], 'pid <> pg_backend_pid()'))
  return rows.length > 0
}

/** Returns a query for the locks of names. The view shows both halves as unsigned numbers, and 2 for a key of two halves. */
function locksOf(names: readonly string[], whose: string): string {
  const numbers = names.map((name) => lockNumber(name) >>> 0)
  return `
    SELECT DISTINCT objid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND ${whose}
      AND classid::bigint = ${LOCK_CLASS} AND objid::bigint IN (${numbers.join(', ')})`
}

/** Whether a session still holds locks of `tryLock`, each on a different name. */
export async function holdsLocks(session: Session, names: readonly string[]): Promise<boolean> {
  const rows = await session.query(locksOf(names, 'pid = pg_backend_pid()'))
  return rows.length === names.length
}

/** Releases a lock of `tryLock`; call it once for each time the lock was taken. */
export async function unlock(session: Session, name: string): Promise<void> {
  await session.query(`SELECT pg_advisory_unlock(${LOCK_CLASS}, ${lockNumber(name)})`)
}

/**
 * Locks a target, so that two runs never swap the same database.
 *
 * @throws an Error when another run holds the lock
 */
export async function lockTarget(session: Session, database: string): Promise<void> {
  if (await tryLock(session, database)) return
  throw new Error(
    `Another run of this action is working on "${database}" right now; try again when it has ended`,
  )
}

/** Identifies a running server independently of its address, and the session's database on it. */
export type Identity = { started: string; systemIdentifier: string | null; database: string }

/**
 * Reads the cluster's own number and the microsecond of its start as numbers, which no setting formats in another way.
 *
 * @throws an Error when the server does not say when it started, because then it cannot be distinguished from another one
 */
export async function readIdentity(session: Session): Promise<Identity> {
  const started = session.query<Omit<Identity, 'systemIdentifier'>>(`
    SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text AS started,
           current_database() AS database`)
  const row = await started.then(
    ([found]) => found!,
    (error: Error) => {
      throw new Error(
        `The role may not read when the server started, so source and target cannot be told apart: ${error.message}. Grant EXECUTE on pg_postmaster_start_time()`,
        { cause: error },
      )
    },
  )
  // Managed servers may refuse this function.
  const identifier = session.query<{ id: string }>(
    'SELECT system_identifier::text AS id FROM pg_control_system()',
  )
  const systemIdentifier = await identifier.then(([found]) => found!.id).catch(() => null)
  return { ...row, systemIdentifier }
}

/** Whether two identities are one running server. A standby has its primary's identifier but its own start time. */
export function isSameServer(a: Identity, b: Identity): boolean {
  const sameIdentifier =
    a.systemIdentifier === null || b.systemIdentifier === null || a.systemIdentifier === b.systemIdentifier
  return a.started === b.started && sameIdentifier
}

/** Returns the number of a database, which no later one of its name has; null when it does not exist. */
export async function readOid(session: Session, database: string): Promise<string | null> {
  const [row] = await session.query<{ oid: string }>(
    `SELECT oid::text AS oid FROM pg_database WHERE datname = ${literal(database)}`,
  )
  return row?.oid ?? null
}

/** Counts the sessions of users in a database, other than this session. */
export async function countSessions(session: Session, database: string): Promise<number> {
  const [row] = await session.query<{ sessions: number }>(
    `SELECT count(*) AS sessions FROM pg_stat_activity WHERE datname = ${literal(database)} AND usesysid IS NOT NULL AND pid <> pg_backend_pid()`,
  )
  return row!.sessions
}

/** Ends the sessions of users in a database, other than this session. */
export async function endSessions(session: Session, database: string): Promise<void> {
  await session.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${literal(database)} AND usesysid IS NOT NULL AND pid <> pg_backend_pid()`,
  )
}

/**
 * Drops a database that nobody uses. The server counts its sessions while it lets no new one in.
 *
 * @returns false when it has sessions and stays
 */
export async function dropUnusedDatabase(session: Session, name: string): Promise<boolean> {
  try {
    await makeOrdinary(session, name)
    await session.execute(`DROP DATABASE IF EXISTS ${identifier(name)}`)
    return true
  } catch (error) {
    if (error instanceof DatabaseError && error.sqlstate === OBJECT_IN_USE) return false
    throw error
  }
}

/** The server drops no template. Its own ones stay templates, so that it refuses to drop them. */
async function makeOrdinary(session: Session, name: string): Promise<void> {
  const rows = await session.query(
    `SELECT 1 AS one FROM pg_database WHERE datname = ${literal(name)} AND datistemplate AND datname NOT IN ('template0', 'template1')`,
  )
  if (rows.length > 0) await session.execute(templateStatement(name, false))
}

/** Drops a database and ends its sessions, also if it is a template. A database that does not exist is not an error. */
export async function dropDatabase(session: Session, server: Server, name: string): Promise<void> {
  const quoted = identifier(name)
  await makeOrdinary(session, name)
  if (server.major >= 13) return session.execute(`DROP DATABASE IF EXISTS ${quoted} WITH (FORCE)`)
  try {
    await session.execute(`ALTER DATABASE ${quoted} ALLOW_CONNECTIONS false`)
  } catch (error) {
    if (error instanceof DatabaseError && error.sqlstate === '3D000') return
    throw error
  }
  try {
    await endSessions(session, name)
    await session.execute(`DROP DATABASE IF EXISTS ${quoted}`)
  } catch (error) {
    // A database that stays must not stay closed. The first error is the one that counts.
    await session.execute(`ALTER DATABASE ${quoted} ALLOW_CONNECTIONS true`).catch(() => {})
    throw error
  }
}
