import type { Session } from '../database/connection/session.ts'
import { type Locale, readLocale } from '../database/locale.ts'
import { relatedName } from '../database/names.ts'
import { POINTS } from '../database/ownership.ts'
import { type Properties, readProperties, tryProperties } from '../database/properties.ts'
import { lockTarget, readOid, type Server } from '../database/server.ts'
import { createStaging, type Maker, type TemporaryDatabase } from '../database/staging.ts'
import { lookAtPrimary } from '../database/standby.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'
import { checkExpiry, checkOverwrite, checkPoints, checkProtected, checkRights } from './guards.ts'
import { checkObstacles } from './obstacles.ts'

/** The locked database that will be replaced. */
export type Target = {
  name: string
  server: Server
  /** Connected to the maintenance database; it holds the lock. */
  session: Session
  client: PostgresClient
  /** Null when the target does not exist yet. */
  properties: Properties | null
  locale: Locale | null
  /** Distinguishes the database from a later one of its name; null when it does not exist yet. */
  oid: string | null
  /** Makes databases on the target's server. */
  maker: Maker
}

/**
 * Locks the target and looks at it.
 *
 * @param session on the maintenance database; it will hold the lock
 * @throws an Error when this role may not replace it, or when overwriting it was not allowed
 */
export async function lookAtTarget(step: Step, session: Session): Promise<Target> {
  const { inputs, target } = step
  const name = target.database
  checkProtected(inputs, target)
  const server = await lookAtPrimary(session, inputs.command)
  await lockTarget(session, name)
  const found = await readProperties(session, name)
  await checkRights(session, server, name, found)
  const properties = found && (await keepAllowed(session, name, found))
  const client = await step.client({ serverMajor: server.major, purpose: 'restore' })
  await checkOverwrite(step, server, properties)
  checkExpiry(inputs, name, properties)
  if (inputs.reversible) await checkPoints(inputs, target, session, server)
  const points = inputs.reversible ? POINTS.map((suffix) => relatedName(name, suffix)) : []
  await checkObstacles(session, [name, ...points])
  const locale = await readLocale(session, server, name)
  const oid = await readOid(session, name)
  const what = properties ? 'will be replaced' : 'does not exist and will be created'
  log.info(`PostgreSQL ${server.version} at ${target.label}, as "${server.role}"; "${name}" ${what}`)
  const maker = { session, server, run: step.run.url }
  return { name, server, session, client, properties, locale, oid, maker }
}

/**
 * Creates the staging database of a target, with the target's locale, tablespace and settings.
 *
 * @param otherwise the locale when the target does not exist yet
 */
export function createStagingFor(
  { name, maker, locale, properties }: Target,
  otherwise: Locale | null,
): Promise<TemporaryDatabase> {
  return createStaging(maker, name, {
    locale: locale ?? otherwise,
    tablespace: properties?.tablespace ?? null,
    settings: properties?.settings ?? [],
  })
}

/** Warns of settings that the role may not give to the new database, and leaves them out. */
async function keepAllowed(session: Session, name: string, found: Properties): Promise<Properties> {
  const { allowed, refused } = await tryProperties(session, name, found)
  if (refused.length > 0)
    log.warning(
      `The new "${name}" lacks settings of the present one that only an administrator may make: ${refused.join('; ')}; make them again after the swap, or connect as an administrator`,
    )
  return allowed
}
