import type { Connection } from './connection/connection.ts'
import { Session, type SessionOptions } from './connection/session.ts'

/** A state of a database that several sessions see, for as long as the session that exported it stays as it is. */
export type Snapshot = AsyncDisposable & { id: string }

/** @throws an Error where the server cannot export one, such as a standby before PostgreSQL 10 */
export async function exportSnapshot(connection: Connection, options: SessionOptions): Promise<Snapshot> {
  const session = await Session.open(connection, options)
  try {
    await session.execute('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const [row] = await session.query<{ id: string }>('SELECT pg_export_snapshot() AS id')
    return { id: row!.id, [Symbol.asyncDispose]: () => session.close() }
  } catch (error) {
    await session.close()
    throw error
  }
}
