import { log } from '../report/log.ts'
import { literal, type Session } from './connection/session.ts'
import { lookAtServer, type Server } from './server.ts'

const SETTINGS = ['max_standby_streaming_delay', 'hot_standby_feedback']

/** Says of a standby how long it lets a dump run against the changes of its primary. */
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
 * Looks at a server that is about to be written.
 *
 * @param command the command that needs it, for the error
 * @throws an Error when the server of `database-url` is a standby, where nothing can be written
 */
export async function lookAtPrimary(session: Session, command: string): Promise<Server> {
  const server = await lookAtServer(session)
  if (!server.standby) return server
  throw new Error(`The server of database-url is a standby, which is read-only; ${command} needs its primary`)
}

/** Why a standby broke a dump off, for the user; postgres.c has the server's words, which end a statement or the session. */
export const RECOVERY_CONFLICT = {
  words: /(?:canceling statement|terminating connection) due to conflict with recovery/,
  sentence:
    'The standby cancelled the dump, because it had to apply changes of its primary; dump from the primary, or set hot_standby_feedback = on or a longer max_standby_streaming_delay on the standby',
} as const
