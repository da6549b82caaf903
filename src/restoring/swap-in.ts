import { readDatabases } from '../database/databases.ts'
import { parseMarker } from '../database/marker.ts'
import { relatedName, temporaryName } from '../database/names.ts'
import { isPointOf } from '../database/ownership.ts'
import { dropDatabase } from '../database/server.ts'
import { markerText, type TemporaryDatabase } from '../database/staging.ts'
import { type Move, swapDatabases } from '../database/swap.ts'
import { messageOf } from '../errors.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { log } from '../report/log.ts'
import { isMarkable } from './guards.ts'
import type { Target } from './target.ts'

/** Whether the new database is marked as one that later steps may replace and drop, and its lifetime in milliseconds. */
type Mark = Pick<Inputs, 'disposable' | 'expiresAfter'>

/**
 * Returns the comment of the new database. It is marked if there was none before or if the old one was a clone, unless the
 * user says that it must not be replaced and dropped later. The comment of any other database stays, without a marker.
 */
function newComment({ name, properties, maker }: Target, { disposable, expiresAfter }: Mark): string | null {
  const marker = parseMarker(properties?.comment ?? null)
  if (disposable && isMarkable(name, properties)) return markerText('clone', name, maker.run, expiresAfter)
  return marker ? null : (properties?.comment ?? null)
}

/**
 * Swaps a staging database in, and keeps or drops the old database. Restore points are renewed in the same transaction, so
 * none is ever older than the database beside it.
 *
 * @param options.post a copy of the staging database from before its hooks, which becomes the restore point `__post`
 * @returns the name of the kept old database, if one is kept
 */
export async function swapIn(
  target: Target,
  staging: TemporaryDatabase,
  { post, keepOld, ...mark }: { post: TemporaryDatabase | null; keepOld: boolean } & Mark,
): Promise<string | null> {
  const { session, server, name, properties } = target
  const kept = keepOld && properties ? relatedName(name, 'pre') : null
  const points = [
    ...(kept ? await makeRoom(target, kept) : []),
    ...(post ? await renewPost(target, post) : []),
  ]
  const oldMark = markerText(kept ? 'point' : 'old', name, target.maker.run)
  const old = properties && { name: kept ?? temporaryName(name), comment: oldMark, open: kept !== null }
  const comment = newComment(target, mark)
  const template = properties?.isTemplate ?? false
  await swapDatabases(session, server, {
    database: name,
    staging: staging.name,
    ...{ old, comment, template, points },
  })
  staging.release()
  post?.release()
  log.info(`"${name}" is now the new database`)
  const replaced = points.filter(({ open }) => !open).map(({ to }) => to)
  for (const doomed of old && !kept ? [...replaced, old.name] : replaced) await dropOld(target, doomed)
  return kept
}

/** Returns the renames that make a copy of the new database the restore point `__post`. */
async function renewPost(target: Target, { name: from }: TemporaryDatabase): Promise<Move[]> {
  const { name, maker } = target
  const to = relatedName(name, 'post')
  return [
    ...(await makeRoom(target, to)),
    { from, to, comment: markerText('point', name, maker.run), open: true },
  ]
}

/** Returns the rename of the older restore point of that name, if there is one. It is dropped after the swap. */
async function makeRoom({ session, name, maker }: Target, point: string): Promise<Move[]> {
  const older = (await readDatabases(session)).find((database) => database.name === point)
  if (!older || !isPointOf(older, name)) return []
  return [{ from: point, to: temporaryName(name), comment: markerText('old', name, maker.run) }]
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
