import type { Relation } from '../relation.ts'
import { identifier, type Session } from './connection/session.ts'

/** A state of a database that several sessions can share, as long as the session that exported it stays open. */
export type Snapshot = AsyncDisposable & { id: string; session: Session }

/**
 * Exports the snapshot of a session, and closes the session at the end of the scope.
 *
 * @param tables are locked first, so that the snapshot shows all that was committed before their rows could be removed
 * @param lockTimeout how long to wait for them, in milliseconds, 0 for as long as it takes; null not to wait
 * @throws an Error where the server cannot export one, such as a standby before PostgreSQL 10, or a table is locked
 */
export async function exportSnapshot(
  opened: Session,
  tables: readonly Relation[],
  lockTimeout: number | null = null,
): Promise<Snapshot> {
  await using unfinished = new AsyncDisposableStack()
  const session = unfinished.use(opened)
  const [row] = await session.query<{ id: string }>('SELECT pg_export_snapshot() AS id', [
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    ...(tables.length === 0 ? [] : lockStatements(tables, lockTimeout)),
  ])
  unfinished.move()
  return { id: row!.id, session, [Symbol.asyncDispose]: () => session.close() }
}

function lockStatements(tables: readonly Relation[], lockTimeout: number | null): string[] {
  const names = tables.map(({ schema, name }) => `ONLY ${identifier(schema)}.${identifier(name)}`)
  const lock = `LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE`
  if (lockTimeout === null) return [`${lock} NOWAIT`]
  return [`SET LOCAL lock_timeout = ${lockTimeout}`, lock, 'SET LOCAL lock_timeout = 0']
}
