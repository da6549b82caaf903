import { log } from '../report/log.ts'
import { DatabaseError, type Session } from './connection/session.ts'
import type { Server } from './server.ts'

/**
 * Makes the server write what it has in memory, where the role may ask for it. `DROP DATABASE` waits until that is done
 * (dropdb in dbcommands.c), so it is done beside work that computes, before a database is dropped.
 */
export async function writeEarly(session: Session, { major, superuser }: Server): Promise<void> {
  try {
    if (superuser || (await mayCheckpoint(session, major))) await session.execute('CHECKPOINT')
  } catch (error) {
    // A managed service may refuse it even so; then the drop takes longer.
    if (!(error instanceof DatabaseError)) throw error
    log.debug(`CHECKPOINT is not possible: ${error.message}`)
  }
}

/** The first major version with a role that may ask for a checkpoint. */
const FIRST_MAJOR_WITH_ROLE = 15

async function mayCheckpoint(session: Session, major: number): Promise<boolean> {
  if (major < FIRST_MAJOR_WITH_ROLE) return false
  const [row] = await session.query<{ allowed: boolean }>(
    "SELECT pg_has_role(current_user, 'pg_checkpoint', 'USAGE') AS allowed",
  )
  return row!.allowed
}
