import { log } from '../report/log.ts'
import { literal, type Session } from './connection/session.ts'
import { lookAtServer, type Server } from './server.ts'

const SETTINGS = ['max_standby_streaming_delay', 'hot_standby_feedback']

/** Logs how long a standby lets a dump delay the changes of its primary. */
export async function noteStandby(session: Session, { standby }: Server): Promise<void> {
  if (!standby) return
  const rows = await session.query<{ name: string; value: string }>(
    `SELECT name, current_setting(name) AS value FROM pg_settings WHERE name IN (${SETTINGS.map(literal).join(', ')}) ORDER BY name DESC`,
  )
  const settings = rows.map(({ name, value }) => `${name} = ${value}`).join(', ')
  log.info(
    `The server is a standby: it may cancel a dump to apply changes of its primary (${settings}), and it has no unlogged data`,
  )
}

/**
 * Reads version, role and state of a server that will be written.
 *
 * @param command the command that needs it, for the error
 * @throws an Error when the server of `database-url` is a standby, which is read-only
 */
export async function lookAtPrimary(session: Session, command: string): Promise<Server> {
  const server = await lookAtServer(session)
  if (!server.standby) return server
  throw new Error(
    `The server of database-url is a standby, which is read-only; ${command} needs the URL of its primary`,
  )
}

/** How a standby reports that recovery ended a statement or the session (postgres.c), and the sentence for the user. */
export const RECOVERY_CONFLICT = {
  words: /(?:canceling statement|terminating connection) due to conflict with recovery/,
  sentence:
    'The standby cancelled the dump, because it had to apply changes of its primary; dump from the primary, or set hot_standby_feedback = on or a longer max_standby_streaming_delay on the standby',
} as const
