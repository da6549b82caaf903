import { messageOf } from '../errors.ts'
import { log } from '../report/log.ts'
import type { Session } from './connection/session.ts'
import { type DatabaseRow, readDatabases } from './databases.ts'
import { hasTemporaryName } from './names.ts'
import { isTemporary } from './ownership.ts'
import { dropUnusedDatabase, tryLock, unlock } from './server.ts'
import { commentDatabase, markerText } from './staging.ts'

/** Databases younger than this are left alone, because their run may be between two steps. */
const MIN_LEFTOVER_AGE_MS = 60 * 60 * 1000

/**
 * Drops what killed runs left on a server: staging and replaced databases, found by their name and marker, that are
 * older than an hour, not locked and without sessions. A running step holds a lock on each of its databases; if its
 * connection is gone and the lock with it, its restore or its hook still has a session.
 *
 * @returns the names of the dropped databases
 */
export async function sweepDatabases(session: Session, now: number = Date.now()): Promise<string[]> {
  const swept: string[] = []
  for (const database of await readDatabases(session)) {
    const { name, marker } = database
    if (!hasTemporaryName(name)) continue
    if (!isUnmarked(database) && !isLeftover(database, now)) continue
    if (!(await tryLock(session, name))) continue
    try {
      if (!marker) {
        await commentDatabase(session, name, markerText('staging', name, ''))
        continue
      }
      if (await dropUnusedDatabase(session, name)) {
        swept.push(name)
        log.info(`Dropped "${name}", which a killed run left behind on ${marker.at}`)
      } else log.info(`"${name}" has sessions and stays, because its run may still be working`)
    } catch (error) {
      log.warning(`Could not drop "${name}", which a killed run left behind: ${messageOf(error)}`)
    } finally {
      await unlock(session, name)
    }
  }
  return swept
}

function isLeftover(database: DatabaseRow, now: number): boolean {
  return isTemporary(database) && now - Date.parse(database.marker!.at) > MIN_LEFTOVER_AGE_MS
}

/**
 * The server finishes a `CREATE DATABASE` whose client was killed, so the database exists without a marker. It gets one
 * when it is first seen, and its hour begins then.
 */
function isUnmarked({ comment, sessions }: DatabaseRow): boolean {
  return comment === null && sessions === 0
}
