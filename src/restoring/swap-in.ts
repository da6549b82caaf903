import { identifier } from '../database/connection/session.ts'
import { parseMarker } from '../database/marker.ts'
import { relatedName, temporaryName } from '../database/names.ts'
import { commentStatement, type Properties, readProperties } from '../database/properties.ts'
import { dropDatabase } from '../database/server.ts'
import { markerText, type TemporaryDatabase } from '../database/staging.ts'
import { swapDatabases } from '../database/swap.ts'
import { messageOf } from '../errors.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { Target } from './target.ts'

/** Whether we made this database, so that we may replace and drop it without being told to. */
function isOurs(properties: Properties): boolean {
  return parseMarker(properties.comment) !== null
}

/** A comment of the user's is not ours to replace. */
function isMarkable(properties: Properties): boolean {
  return properties.comment === null || isOurs(properties)
}

/**
 * Puts a staging database in the place of the target, and keeps the old one as a restore point with `reversible`.
 *
 * @param post a copy of the staging database from before its hooks, which becomes the restore point `__post`
 * @returns the name of the kept old database, if one is kept
 */
export async function swapIn(
  step: Step,
  target: Target,
  staging: TemporaryDatabase,
  post: TemporaryDatabase | null,
): Promise<string | null> {
  const { session, server, name, properties } = target
  const mark = (kind: 'clone' | 'point' | 'old') => markerText(kind, name, step.run.url)
  // Our own mark of the last restore is written anew; what a user wrote, or did not write, stays.
  const comment = !properties || isOurs(properties) ? mark('clone') : properties.comment
  step.signal.throwIfAborted()
  const keep = step.inputs.reversible
  const keptComment = properties && isMarkable(properties) ? mark('point') : null
  const old = properties && { name: temporaryName(name), comment: keep ? keptComment : mark('old') }
  await swapDatabases(session, server, { database: name, staging: staging.name, old, comment })
  staging.release()
  log.info(`"${name}" is the new database now`)
  if (post) await keepAs(target, post.name, 'post', post)
  if (!old) return null
  if (keep) return keepAs(target, old.name, 'pre', null)
  await dropOld(target, old.name)
  return null
}

/** Makes a database a restore point, in the place of an older one. The replacement itself has succeeded by now. */
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
    log.warning(`The restore point could not become "${point}": ${messageOf(error)}`)
    return database
  }
}

async function dropOld({ session, server }: Target, name: string): Promise<void> {
  try {
    await dropDatabase(session, server, name)
  } catch (error) {
    log.warning(`The old database stays, closed, under the name "${name}": ${messageOf(error)}`)
  }
}
