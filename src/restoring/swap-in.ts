import { identifier } from '../database/connection/session.ts'
import { parseMarker } from '../database/marker.ts'
import { relatedName, temporaryName } from '../database/names.ts'
import { commentStatement, type Properties, readProperties } from '../database/properties.ts'
import { dropDatabase } from '../database/server.ts'
import { markerText, type TemporaryDatabase } from '../database/staging.ts'
import { swapDatabases } from '../database/swap.ts'
import { messageOf } from '../errors.ts'
import { log } from '../report/log.ts'
import type { Target } from './target.ts'

/** Whether this action made a database, so that it may replace and drop it without `overwrite`. */
function isMadeByAction(properties: Properties): boolean {
  return parseMarker(properties.comment) !== null
}

/** Whether a marker may replace the comment of a database. A comment that a user wrote stays. */
function isMarkable(properties: Properties): boolean {
  return properties.comment === null || isMadeByAction(properties)
}

/**
 * Swaps a staging database in, and keeps or drops the old database.
 *
 * @param options.post a copy of the staging database from before its hooks, which becomes the restore point `__post`
 * @returns the name of the kept old database, if one is kept
 */
export async function swapIn(
  target: Target,
  staging: TemporaryDatabase,
  { post, keepOld }: { post: TemporaryDatabase | null; keepOld: boolean },
): Promise<string | null> {
  const { session, server, name, properties, maker } = target
  const mark = (kind: 'clone' | 'point' | 'old') => markerText(kind, name, maker.run)
  // The marker of the last restore is replaced; a comment that a user wrote or removed stays so.
  const comment = !properties || isMadeByAction(properties) ? mark('clone') : properties.comment
  const keptComment = properties && isMarkable(properties) ? mark('point') : null
  const old = properties && { name: temporaryName(name), comment: keepOld ? keptComment : mark('old') }
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
    const properties = await readProperties(session, database)
    const comment = commentStatement(point, markerText('point', name, maker.run))
    await session.transaction(
      `ALTER DATABASE ${identifier(database)} RENAME TO ${identifier(point)}`,
      `ALTER DATABASE ${identifier(point)} ALLOW_CONNECTIONS true`,
      ...(properties && isMarkable(properties) ? [comment] : []),
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
