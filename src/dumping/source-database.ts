import type { Connection } from '../database/connection/connection.ts'
import { type LargeTable, readLargeTables } from '../database/large-tables.ts'
import { type Locale, readLocale } from '../database/locale.ts'
import { checkPatterns } from '../database/pg-dump.ts'
import { databaseSize, type Identity, lookAtServer, readIdentity, type Server } from '../database/server.ts'
import { noteStandby } from '../database/standby.ts'
import { formatBytes } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'

/** A database that is about to be dumped or copied. */
export type SourceDatabase = {
  /** Identifies its server and database. */
  identity: Identity
  connection: Connection
  server: Server
  /** In bytes. */
  size: number
  locale: Locale
  /** The client programs that can dump it. */
  client: PostgresClient
  largeTables: readonly LargeTable[]
}

/**
 * Looks at a database before it is dumped or copied.
 *
 * @throws an Error when it cannot be reached, or when a pattern of the inputs matches nothing in it
 */
export async function lookAtSource(step: Step, connection: Connection): Promise<SourceDatabase> {
  await using session = await step.session(connection, { direct: true })
  const server = await lookAtServer(session)
  const size = await databaseSize(session)
  log.info(`${connection.label}: PostgreSQL ${server.version}, ${formatBytes(size)}, as "${server.role}"`)
  await noteStandby(session, server)
  await checkPatterns(session, step.inputs)
  const largeTables = step.inputs.jobs > 1 ? await readLargeTables(session, step.inputs) : []
  return {
    identity: await readIdentity(session),
    connection,
    server,
    size,
    largeTables,
    locale: (await readLocale(session, server, connection.database))!,
    client: await step.client({ serverMajor: server.major, purpose: 'dump' }),
  }
}
