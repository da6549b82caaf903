import { setTimeout as wait } from 'node:timers/promises'
import { PermanentError } from '../errors.ts'
import { notePending } from '../leftovers.ts'
import { DatabaseError, identifier, literal, OBJECT_IN_USE, type Session } from './connection/session.ts'
import { commentStatement } from './properties.ts'
import type { Server } from './server.ts'

export type Swap = {
  /** The name that users know. */
  database: string
  /** The restored database that takes the name over. */
  staging: string
  /** Where the old database goes, and what its comment becomes; null when there is no old one. */
  old: { name: string; comment: string | null } | null
  /** The comment of the new database, which takes effect with the swap; left alone when not given. */
  comment?: string | null
}

const ATTEMPTS = 5

/**
 * Puts a database in the place of another: two renames in one transaction, so there is never a moment without a
 * database of that name. Clients are kept out for the moment of the swap and let in again whatever happens.
 */
export async function swapDatabases(session: Session, server: Server, swap: Swap): Promise<void> {
  const forget = await noteDoor(session, swap)
  for (let attempt = 1; ; attempt += 1) {
    try {
      await (server.major >= 11 ? swapOnServer(session, swap) : swapByClient(session, swap))
      forget()
      return
    } catch (error) {
      const answer = error instanceof DatabaseError ? error : null
      if (answer?.sqlstate !== OBJECT_IN_USE || attempt === ATTEMPTS) {
        if (answer) forget()
        throw explainSwap(error, swap)
      }
      await wait(200 * attempt)
    }
  }
}

/** A server that dies with the door closed keeps it closed; then the post step opens it. */
async function noteDoor(session: Session, { database, old }: Swap): Promise<() => void> {
  const [before] = old ? await session.query<{ open: boolean }>(isOpen(database)) : []
  return before?.open ? notePending({ kind: 'door', name: database }) : () => undefined
}

/** Lets clients in again. */
export async function openDoor(session: Session, database: string): Promise<void> {
  await session.execute(door(database, true))
}

/** Final, because another attempt after a swap that did happen would take the new database for the old one. */
function explainSwap(error: unknown, { database }: Swap): PermanentError {
  const message = error instanceof Error ? error.message : String(error)
  // Without an answer of the server nobody knows which of the two it is; a mix it is not.
  const state =
    error instanceof DatabaseError ? 'is as it was' : 'is either the old or the new one, never a mix'
  return new PermanentError(
    `The new database could not take the place of "${database}", which ${state}: ${message}`,
    {
      cause: error,
    },
  )
}

/** The renames; what is committed with them is decided by the caller's transaction. */
function renames({ database, staging, old, comment }: Swap): string[] {
  return [
    ...(old ? [`ALTER DATABASE ${identifier(database)} RENAME TO ${identifier(old.name)}`] : []),
    ...(old?.comment ? [commentStatement(old.name, old.comment)] : []),
    `ALTER DATABASE ${identifier(staging)} RENAME TO ${identifier(database)}`,
    ...(comment === undefined ? [] : [commentStatement(database, comment)]),
  ]
}

function door(database: string, open: boolean): string {
  return `ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS ${open}`
}

/** An administrator may have closed it; then it stays closed when the swap fails. */
function isOpen(database: string): string {
  return `SELECT datallowconn AS open FROM pg_database WHERE datname = ${literal(database)}`
}

/** Not autovacuum, which has no user: it makes room for a rename by itself, and only a superuser may end it. */
function everybodyIn({ database, staging }: Swap): string {
  const names = [database, staging].map(literal).join(', ')
  return `FROM pg_stat_activity WHERE datname IN (${names}) AND usesysid IS NOT NULL AND pid <> pg_backend_pid()`
}

/**
 * The whole swap as one statement, so that the server finishes it, and opens the door again, also when we are killed
 * in the middle. COMMIT inside of DO needs PostgreSQL 11.
 */
async function swapOnServer(session: Session, swap: Swap): Promise<void> {
  const execute = (statement: string) => `EXECUTE ${literal(statement)};`
  const close = swap.old ? `${execute(door(swap.database, false))} COMMIT;` : ''
  const reopen = swap.old ? `IF was_open THEN ${execute(door(swap.database, true))} END IF;` : ''
  const body = `
    DECLARE failure text; state text; was_open boolean;
    BEGIN
      was_open := (${isOpen(swap.database)});
      ${close}
      BEGIN
        PERFORM pg_terminate_backend(pid) ${everybodyIn(swap)};
        ${renames(swap).map(execute).join('\n')}
      EXCEPTION WHEN query_canceled OR others THEN
        GET STACKED DIAGNOSTICS failure = MESSAGE_TEXT, state = RETURNED_SQLSTATE;
      END;
      IF failure IS NOT NULL THEN
        ${reopen}
        COMMIT;
        RAISE EXCEPTION USING MESSAGE = failure, ERRCODE = state;
      END IF;
    END`
  await session.execute(`DO ${literal(body)}`)
}

/** The same in steps of ours, for PostgreSQL 10. */
async function swapByClient(session: Session, swap: Swap): Promise<void> {
  const [before] = await session.query<{ open: boolean }>(isOpen(swap.database))
  if (swap.old) await session.execute(door(swap.database, false))
  try {
    await session.query(`SELECT pg_terminate_backend(pid) ${everybodyIn(swap)}`)
    await session.transaction(...renames(swap))
  } catch (error) {
    if (before?.open) await session.execute(door(swap.database, true))
    throw error
  }
}
