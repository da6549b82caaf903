import { identifier } from '../database/connection/session.ts'
import { parseMarker } from '../database/marker.ts'
import { relatedName, temporaryName } from '../database/names.ts'
import { isClone } from '../database/ownership.ts'
import { commentStatement } from '../database/properties.ts'
import { dropDatabase } from '../database/server.ts'
import { markerText, type TemporaryDatabase } from '../database/staging.ts'
import { swapDatabases } from '../database/swap.ts'
import { messageOf } from '../errors.ts'
import { log } from '../report/log.ts'
import type { Target } from './target.ts'

/**
 * Returns the comment of the new database. It is marked if there was none before or if the old one was a clone, unless the
 * user says that it must not be replaced and dropped later. The comment of any other database stays, without a marker.
 */
function newComment({ name, properties, maker }: Target, disposable: boolean): string | null {
  const marker = parseMarker(properties?.comment ?? null)
  if (disposable && (!properties || isClone({ name, marker }))) return markerText('clone', name, maker.run)
  return marker ? null : (properties?.comment ?? null)
}

/**
 * Swaps a staging database in, and keeps or drops the old database.
 *
 * @param options.disposable whether the new database is marked as one that later steps may replace and drop
 * @param options.post a copy of the staging database from before its hooks, which becomes the restore point `__post`
 * @returns the name of the kept old database, if one is kept
 */
export async function swapIn(
  target: Target,
  staging: TemporaryDatabase,
  { post, keepOld, disposable }: { post: TemporaryDatabase | null; keepOld: boolean; disposable: boolean },
): Promise<string | null> {
  const { session, server, name, properties, maker } = target
  const oldComment = markerText(keepOld ? 'point' : 'old', name, maker.run)
  const old = properties && { name: temporaryName(name), comment: oldComment }
  const comment = newComment(target, disposable)
  await swapDatabases(session, server, { database: name, staging: staging.name, old, comment })
  staging.release()
  log.info(`"${name}" is now the new database`)
  if (post) await keepAs(target, post.name, 'post', post)
  if (!old) return null
  if (keepOld) return keepAs(target, old.name, 'pre', null)
  await dropOld(target, old.name)
  return null
}

/** Makes a database a restore point, which replaces an older one. The swap has succeeded by now, so a failure is a warning. */
async function keepAs(
  { session, server, name, maker }: Target,
  database: string,
  suffix: 'pre' | 'post',
  temporary: TemporaryDatabase | null,
): Promise<string> {
  const point = relatedName(name, suffix)
  try {
    await dropDatabase(session, server, point)
    await session.transaction(
      `ALTER DATABASE ${identifier(database)} RENAME TO ${identifier(point)}`,
      `ALTER DATABASE ${identifier(point)} ALLOW_CONNECTIONS true`,
      commentStatement(point, markerText('point', name, maker.run)),
    )
    temporary?.release()
    return point
  } catch (error) {
    log.warning(
      `The restore point stays under the name "${database}", because it could not become "${point}": ${messageOf(error)}`,
    )
    return database
  }
}

async function dropOld({ session, server }: Target, name: string): Promise<void> {
  try {
    await dropDatabase(session, server, name)
  } catch (error) {
    log.warning(
      `The old database stays under the name "${name}", because it could not be dropped: ${messageOf(error)}`,
    )
  }
}
