import { log } from '../report/log.ts'
import type { Session } from './connection/session.ts'
import { type DatabaseRow, readDatabases } from './databases.ts'
import { dropDatabase, type Server, tryLock, unlock } from './server.ts'
import { commentDatabase, markerText } from './staging.ts'

/** Younger leftovers are left alone: their run may be between two steps. */
const OLDEST_ALIVE = 60 * 60 * 1000

/** The names of `temporaryName`. No live database has one, whatever its comment says. */
const TEMPORARY_NAME = /__pgclone_[0-9a-f]{8}$/

/** Whether a name is one that we give to databases that do not stay. */
export function hasTemporaryName({ name }: Pick<DatabaseRow, 'name'>): boolean {
  return TEMPORARY_NAME.test(name)
}

/**
 * Drops what killed runs left on a server: staging and replaced databases of ours, by their name and marker, older than
 * an hour, whose lock nobody holds. A living run holds the lock of each of its databases.
 */
export async function sweepDatabases(
  session: Session,
  server: Server,
  now: number = Date.now(),
): Promise<string[]> {
  const swept: string[] = []
  for (const database of (await readDatabases(session)).filter(hasTemporaryName)) {
    const { name, marker } = database
    if (!isUnmarked(database) && !isLeftover(database, now)) continue
    if (!(await tryLock(session, name))) continue
    try {
      if (!marker) {
        await commentDatabase(session, name, markerText('staging', name, ''))
        continue
      }
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

function isLeftover({ marker }: DatabaseRow, now: number): boolean {
  return (
    marker !== null && ['staging', 'old'].includes(marker.kind) && now - Date.parse(marker.at) > OLDEST_ALIVE
  )
}

/**
 * The server finishes a `CREATE DATABASE` whose client was killed, and nobody is left to mark it. It is marked when it is
 * first seen, so that its hour begins then.
 */
function isUnmarked({ comment, sessions }: DatabaseRow): boolean {
  return comment === null && sessions === 0
}
