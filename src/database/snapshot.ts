import type { Connection } from './connection/connection.ts'
import { Session, type SessionOptions } from './connection/session.ts'

/** A state of a database that several sessions see, for as long as the session that exported it stays as it is. */
export type Snapshot = AsyncDisposable & { id: string }

/** @throws an Error where the server cannot export one, such as a standby before PostgreSQL 10 */
export async function exportSnapshot(connection: Connection, options: SessionOptions): Promise<Snapshot> {
  const session = await Session.open(connection, options)
  try {
    // The session waits inside of its transaction, which a server may limit.
    await session.query(`
      SELECT set_config(name, '0', false) FROM pg_settings
      WHERE name IN ('idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')`)
    await session.execute('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const [row] = await session.query<{ id: string }>('SELECT pg_export_snapshot() AS id')
    return { id: row!.id, [Symbol.asyncDispose]: () => session.close() }
  } catch (error) {
    await session.close()
    throw error
  }
}
