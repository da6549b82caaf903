import { setTimeout as wait } from 'node:timers/promises'
import { PermanentError } from '../errors.ts'
import { notePending } from '../leftovers.ts'
import { DatabaseError, identifier, literal, OBJECT_IN_USE, type Session } from './connection/session.ts'
import { commentStatement, templateStatement } from './properties.ts'
import type { Server } from './server.ts'

export type Swap = {
  /** The name that users know. */
  database: string
  /** The restored database that takes over the name. */
  staging: string
  /** The new name and comment of the old database; null when there is no old one. */
  old: (Pick<Move, 'comment' | 'open'> & { name: string }) | null
  /** The comment that the new database gets with the swap; without one its comment stays. */
  comment?: string | null
  /** Whether the database is a template. The new one becomes one, and the old one could not be dropped as a template. */
  template?: boolean
  /** What becomes of restore points, before the old database becomes one. */
  points?: readonly Move[]
}

/** A database that gets another name with the swap. */
export type Move = {
  from: string
  to: string
  comment: string | null
  /** Whether it accepts connections afterwards; by default it does not. */
  open?: boolean
}

const MAX_ATTEMPTS = 5

/**
 * Replaces a database by another with two renames in one transaction, so that a database of that name always exists.
 * Connections are blocked during the swap and allowed again on success and on failure.
 */
export async function swapDatabases(session: Session, server: Server, swap: Swap): Promise<void> {
  const forget = await noteBlockedConnections(session, swap)
  for (let attempt = 1; ; attempt += 1) {
    try {
      await (server.major >= 11 ? swapOnServer(session, swap) : swapByClient(session, swap))
      forget()
      return
    } catch (error) {
      const answer = error instanceof DatabaseError ? error : null
      if (answer?.sqlstate !== OBJECT_IN_USE || attempt === MAX_ATTEMPTS) {
        if (answer) forget()
        throw explainSwap(error, swap)
      }
      await wait(200 * attempt)
    }
  }
}

/** If the server dies during the swap, connections stay blocked, and the post step must allow them again. */
async function noteBlockedConnections(session: Session, { database, old }: Swap): Promise<() => void> {
  const [before] = old ? await session.query<{ allowed: boolean }>(areConnectionsAllowed(database)) : []
  return before?.allowed ? notePending({ kind: 'connections', database }) : () => undefined
}

/** Allows connections to a database again. */
export async function allowConnections(session: Session, database: string): Promise<void> {
  await session.execute(setConnections(database, true))
}

/** The error is permanent: after a swap that did happen, another attempt would treat the new database as the old one. */
function explainSwap(error: unknown, { database }: Swap): PermanentError {
  const message = error instanceof Error ? error.message : String(error)
  // If the server did not answer, we cannot tell which database is live, but it is never a mix of both.
  const state =
    error instanceof DatabaseError ? 'is as it was' : 'is either the old or the new one, never a mix'
  return new PermanentError(
    `The new database could not take the place of "${database}", which ${state}: ${message}`,
    {
      cause: error,
    },
  )
}

/** Returns the databases that give up their names, in this order. */
function movesOf({ database, old, points = [] }: Swap): Move[] {
  return [...points, ...(old ? [{ ...old, from: database, to: old.name }] : [])]
}

/** Returns the statements of the renames, which the caller runs in one transaction. */
function renames(swap: Swap): string[] {
  const { database, staging, old, comment, template } = swap
  return [
    ...movesOf(swap).flatMap(({ from, to, comment, open }) => [
      `ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)}`,
      ...(comment ? [commentStatement(to, comment)] : []),
      ...(open ? [setConnections(to, true)] : []),
    ]),
    ...(old && template ? [templateStatement(old.name, false)] : []),
    `ALTER DATABASE ${identifier(staging)} RENAME TO ${identifier(database)}`,
    ...(comment === undefined ? [] : [commentStatement(database, comment)]),
    ...(template ? [templateStatement(database, true)] : []),
  ]
}

function setConnections(database: string, allowed: boolean): string {
  return `ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS ${allowed}`
}

function areConnectionsAllowed(database: string): string {
  return `SELECT datallowconn AS allowed FROM pg_database WHERE datname = ${literal(database)}`
}

/** An administrator may have blocked connections; then they stay blocked when the swap fails. */
function openOnes(swap: Swap): string {
  const names = movesOf(swap).map(({ from }) => literal(from))
  return `SELECT datname::text AS name FROM pg_database WHERE datallowconn AND datname IN (${['NULL', ...names].join(', ')})`
}

/** Excludes autovacuum, which has no user: it yields to a rename by itself, and only a superuser may end it. */
function sessionsIn(swap: Swap): string {
  const names = [swap.staging, ...movesOf(swap).map(({ from }) => from)].map(literal).join(', ')
  return `FROM pg_stat_activity WHERE datname IN (${names}) AND usesysid IS NOT NULL AND pid <> pg_backend_pid()`
}

/**
 * Runs the whole swap as one statement, so that the server finishes it and allows connections again even if this process
 * is killed in the middle. COMMIT inside DO needs PostgreSQL 11.
 */
async function swapOnServer(session: Session, swap: Swap): Promise<void> {
  const execute = (statement: string) => `EXECUTE ${literal(statement)};`
  const moved = movesOf(swap).map(({ from }) => from)
  const block = moved.map((name) => execute(setConnections(name, false))).join('\n')
  const allow = moved.map(
    (name) => `IF ${literal(name)} = ANY (was_open) THEN ${execute(setConnections(name, true))} END IF;`,
  )
  const body = `
    DECLARE failure text; state text; was_open text[];
    BEGIN
      was_open := ARRAY(${openOnes(swap)});
      ${block}
      COMMIT;
      BEGIN
        PERFORM pg_terminate_backend(pid) ${sessionsIn(swap)};
        ${renames(swap).map(execute).join('\n')}
      EXCEPTION WHEN query_canceled OR others THEN
        GET STACKED DIAGNOSTICS failure = MESSAGE_TEXT, state = RETURNED_SQLSTATE;
      END;
      IF failure IS NOT NULL THEN
        ${allow.join('\n')}
        COMMIT;
        RAISE EXCEPTION USING MESSAGE = failure, ERRCODE = state;
      END IF;
    END`
  await session.execute(`DO ${literal(body)}`)
}

/** Runs the swap statement by statement, for PostgreSQL 10. */
async function swapByClient(session: Session, swap: Swap): Promise<void> {
  const open = await session.query<{ name: string }>(openOnes(swap))
  await session.execute(...movesOf(swap).map(({ from }) => setConnections(from, false)))
  try {
    await session.query(`SELECT pg_terminate_backend(pid) ${sessionsIn(swap)}`)
    await session.transaction(...renames(swap))
  } catch (error) {
    await session.execute(...open.map(({ name }) => setConnections(name, true)))
    throw error
  }
}
