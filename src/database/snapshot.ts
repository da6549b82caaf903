import type { Session } from './connection/session.ts'

/** A state of a database that several sessions see, for as long as the session that exported it stays as it is. */
export type Snapshot = AsyncDisposable & { id: string }

/**
 * Exports the snapshot of a session, which ends with it.
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
