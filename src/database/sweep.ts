import { messageOf } from '../errors.ts'
import { log } from '../report/log.ts'
import type { Session } from './connection/session.ts'
import { type DatabaseRow, readDatabases } from './databases.ts'
import { dropUnusedDatabase, tryLock, unlock } from './server.ts'
import { commentDatabase, markerText } from './staging.ts'

/** Databases younger than this are left alone, because their run may be between two steps. */
const MIN_LEFTOVER_AGE_MS = 60 * 60 * 1000

/** Matches the names that `temporaryName` makes. No live database has such a name, regardless of its comment. */
const TEMPORARY_NAME = /__pgclone_[0-9a-f]{8}$/

/** Whether a database has the name of a temporary one. */
export function hasTemporaryName({ name }: Pick<DatabaseRow, 'name'>): boolean {
  return TEMPORARY_NAME.test(name)
}

/**
 * Drops what killed runs left on a server: staging and replaced databases, found by their name and marker, that are
 * older than an hour, not locked and without sessions. A running step holds a lock on each of its databases; if its
 * connection is gone and the lock with it, its restore or its hook still has a session.
 *
 * @returns the names of the dropped databases
 */
export async function sweepDatabases(session: Session, now: number = Date.now()): Promise<string[]> {
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

function isLeftover({ marker }: DatabaseRow, now: number): boolean {
  return (
    marker !== null &&
    ['staging', 'old'].includes(marker.kind) &&
    now - Date.parse(marker.at) > MIN_LEFTOVER_AGE_MS
  )
}

/**
 * The server finishes a `CREATE DATABASE` whose client was killed, so the database exists without a marker. It gets one
 * when it is first seen, and its hour begins then.
 */
function isUnmarked({ comment, sessions }: DatabaseRow): boolean {
  return comment === null && sessions === 0
}
