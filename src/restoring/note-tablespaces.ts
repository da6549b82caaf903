import type { Session } from '../database/connection/session.ts'
import { findUnusable } from '../database/restore/tablespaces.ts'
import { log } from '../report/log.ts'

/**
 * Warns of tablespaces of the dump or source that the target cannot use.
 *
 * @param ofDatabase the default tablespace of the database that receives the dump; null for that of the session
 * @returns those tablespaces, whose tables and indexes go into the default tablespace
 */
export async function noteTablespaces(
  session: Session,
  tablespaces: readonly string[],
  ofDatabase: string | null,
): Promise<string[]> {
  const unusable = await findUnusable(session, tablespaces, ofDatabase)
  if (unusable.length > 0) {
    const names = unusable.map((name) => `"${name}"`).join(', ')
    log.warning(
      `The target has no tablespace ${names} in which the role may create tables; what belongs there goes into the default tablespace of the database`,
    )
  }
  return unusable
}
