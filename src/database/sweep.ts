import { log } from '../report/log.ts'
import { readDatabases } from './catalog.ts'
import type { Session } from './psql.ts'
import { dropDatabase, type Server, tryLock, unlock } from './server.ts'

/** Younger leftovers are left alone: their run may be between two steps. */
const OLDEST_ALIVE = 60 * 60 * 1000

/**
 * Drops what killed runs left on a server: staging and replaced databases of ours, by their marker, older than an hour,
 * whose lock nobody holds. A living run holds the lock of each of its databases.
 */
export async function sweepDatabases(
  session: Session,
  server: Server,
  now: number = Date.now(),
): Promise<string[]> {
  const swept: string[] = []
  for (const { name, marker } of await readDatabases(session)) {
    if (!marker || !['staging', 'old'].includes(marker.kind)) continue
    if (!(now - Date.parse(marker.at) > OLDEST_ALIVE) || !(await tryLock(session, name))) continue
    try {
      await dropDatabase(session, server, name)
      swept.push(name)
      log.info(`Dropped "${name}", which a killed run left behind on ${marker.at}`)
    } catch (error) {
      log.warning(`Could not drop "${name}", which a killed run left behind: ${(error as Error).message}`)
    } finally {
      await unlock(session, name)
    }
  }
  return swept
}
