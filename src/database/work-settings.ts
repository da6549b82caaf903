import { identifier, literal, type Session } from './connection/session.ts'
import { type Properties, settingStatements } from './properties.ts'
import type { Server } from './server.ts'

type OnServer = { session: Session; server: Server }

/**
 * Settings under which a database is filled and its hooks run. They override those of its role, its database and its server: no time
 * limit ends the work, it may write, and values are read as `pg_dump` wrote them. Nothing waits for the disk: if the server
 * crashes, the staging database is useless anyway, and the commit of the swap flushes everything before it.
 */
export function workSettings({ major, superuser }: Pick<Server, 'major' | 'superuser'>): [string, string][] {
  return [
    ['default_transaction_read_only', 'off'],
    ['default_transaction_isolation', 'read committed'],
    ['synchronous_commit', 'off'],
    ['array_nulls', 'on'],
    ['statement_timeout', '0'],
    ['lock_timeout', '0'],
    ['idle_in_transaction_session_timeout', '0'],
    ...(major >= 14 ? [['idle_session_timeout', '0'] as [string, string]] : []),
    ...(major >= 17 ? [['transaction_timeout', '0'] as [string, string]] : []),
    // Messages of pg_restore are classified by their English text. Only a superuser may set their language.
    ...(superuser ? [['lc_messages', 'C'] as [string, string]] : []),
  ]
}

/** The owner of what is restored must be the role that restores, so a setting that changes the role waits for the swap. */
const ROLE_SETTING = /^(?:role|session_authorization)=/i

/**
 * Puts the settings of the database that will be replaced into force in its staging database, so that functions, materialized
 * views, hooks and assertions give what they give in the application, and the settings of the work above them.
 *
 * @param settings those of the target; none when it does not exist
 */
export async function beginWork(
  { session, server }: OnServer,
  database: string,
  settings: Properties['settings'],
): Promise<void> {
  const own = settings.filter(({ setting }) => !ROLE_SETTING.test(setting))
  await session.execute(...settingStatements(database, own))
  // A setting for a role in a database overrides all others that are stored (PostgreSQL documentation, ALTER ROLE).
  await asLoginRole(
    session,
    workSettings(server).map(([name, value]) => `${inDatabase(database)} SET ${name} = ${literal(value)}`),
  )
}

/** Takes the settings of the work out of force. Those of the target may have been among them, and follow with its properties. */
export async function endWork({ session, server }: OnServer, database: string): Promise<void> {
  await asLoginRole(
    session,
    workSettings(server).map(([name]) => `${inDatabase(database)} RESET ${name}`),
  )
}

function inDatabase(database: string): string {
  return `ALTER ROLE SESSION_USER IN DATABASE ${identifier(database)}`
}

/** Every role may change its own settings, but after a `SET role` another role would ask. */
function asLoginRole(session: Session, statements: readonly string[]): Promise<void> {
  return session.executeTogether('SET LOCAL ROLE NONE', ...statements)
}
