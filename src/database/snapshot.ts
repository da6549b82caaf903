import type { Session } from './connection/session.ts'

/** A state of a database that several sessions can share, as long as the session that exported it stays open. */
export type Snapshot = AsyncDisposable & { id: string }

/**
 * Exports the snapshot of a session, and closes the session at the end of the scope.
 *
 * @throws an Error where the server cannot export one, such as a standby before PostgreSQL 10
 */
export async function exportSnapshot(opened: Session): Promise<Snapshot> {
  await using unfinished = new AsyncDisposableStack()
  const session = unfinished.use(opened)
  await session.execute('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const [row] = await session.query<{ id: string }>('SELECT pg_export_snapshot() AS id')
  unfinished.move()
  return { id: row!.id, [Symbol.asyncDispose]: () => session.close() }
}
