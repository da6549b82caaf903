import type { Connection } from '../database/connection/connection.ts'
import { Session } from '../database/connection/session.ts'
import { type LargeTable, readLargeTables } from '../database/large-tables.ts'
import { type Locale, readLocale } from '../database/locale.ts'
import { checkPatterns } from '../database/pg-dump.ts'
import { databaseSize, lookAtServer, type Server } from '../database/server.ts'
import { noteStandby } from '../database/standby.ts'
import { formatBytes } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Context } from '../step/context.ts'
import { openClient, toolOptions } from '../step/prepare.ts'
import { anyClient, type PostgresClient } from '../tools/postgres/provide-client.ts'

/** A database that is about to be read, and the client for it; its size is in bytes. */
export type Source = {
  connection: Connection
  server: Server
  size: number
  locale: Locale
  client: PostgresClient
  largeTables: readonly LargeTable[]
}

/**
 * Looks at a database before it is dumped or copied.
 *
 * @param more what else to ask it, in the same session
 * @throws an Error when it cannot be reached, or when a pattern of the inputs matches nothing in it
 */
export async function lookAtSource<More>(
  context: Context,
  connection: Connection,
  more: (session: Session) => Promise<More>,
): Promise<Source & More> {
  const { psql } = await anyClient(toolOptions(context))
  await using session = await Session.open(connection, { ...context, psql, direct: true })
  const server = await lookAtServer(session)
  const size = await databaseSize(session)
  log.info(`${connection.label}: PostgreSQL ${server.version}, ${formatBytes(size)}, as "${server.role}"`)
  await noteStandby(session, server)
  await checkPatterns(session, context.inputs)
  const largeTables = context.inputs.jobs > 1 ? await readLargeTables(session, context.inputs) : []
  return {
    ...(await more(session)),
    connection,
    server,
    size,
    largeTables,
    locale: (await readLocale(session, server, connection.database))!,
    client: await openClient(context, { serverMajor: server.major, purpose: 'dump' }),
  }
}
