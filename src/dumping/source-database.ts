import type { Connection } from '../database/connection/connection.ts'
import { identifier, type Session } from '../database/connection/session.ts'
import { freeConnections } from '../database/free-connections.ts'
import { isParallel, type LargeTable, planReading, readLargeTables } from '../database/large-tables.ts'
import { whyDataIsOrdered } from '../database/load-order.ts'
import { type Locale, readLocale } from '../database/locale.ts'
import { type Contents, dumpFilters } from '../database/pg-dump.ts'
import { type Addition, completeSelection, type Report } from '../database/restorable.ts'
import { resolveFilters, type Selection } from '../database/selection.ts'
import { databaseSize, type Identity, lookAtServer, readIdentity, type Server } from '../database/server.ts'
import { noteStandby } from '../database/standby.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { formatBytes, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'
import { nameOmissions } from './name-omissions.ts'

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
} & Chosen

/** What is dumped, as the catalog says it now. */
type Chosen = {
  /** The contents as `pg_dump` has to be told. */
  contents: Contents
  /** What the archive gets besides, because the contents need it. */
  additions: readonly Addition[]
  /** The tables that can be dumped over other connections than the rest. */
  largeTables: readonly LargeTable[]
  /** Over how many connections rows may be read. */
  readingJobs: number
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
  const client = await step.client({ serverMajor: server.major, purpose: 'dump' })
  const chosen = await choose(session, step, client, log)
  await nameOmissions(session, step.inputs)
  return {
    ...chosen,
    identity: await readIdentity(session),
    connection,
    server,
    size,
    locale: (await readLocale(session, server, connection.database))!,
    client,
  }
}

/** Returns the large tables, unless the stored order of the data matters, which is then that of one pg_dump. */
async function readSeparateTables(
  session: Session,
  { jobs }: Inputs,
  selection: Selection,
): Promise<Pick<Chosen, 'largeTables' | 'readingJobs'>> {
  const largeTables = jobs > 1 ? await readLargeTables(session, selection) : []
  if (!isParallel(planReading(largeTables, jobs))) return { largeTables, readingJobs: jobs }
  const why = await whyDataIsOrdered(session)
  if (why === null) return { largeTables, readingJobs: await allowedJobs(session, jobs) }
  log.info(`Dumping over one connection, to keep an order that can be restored: ${why}`)
  return { largeTables: [], readingJobs: 1 }
}

/** Sessions of a parallel dump that read no large table: that of the snapshot, and at first the main `pg_dump`. */
const OTHER_SESSIONS = 2

/** Returns how many jobs can connect when this session has ended. */
async function allowedJobs(session: Session, jobs: number): Promise<number> {
  const allowed = Math.max(1, Math.min(jobs, 1 + (await freeConnections(session)) - OTHER_SESSIONS))
  if (allowed < jobs)
    log.info(
      `Dumping over ${formatQuantity(allowed, 'connection')} instead of ${jobs}: role, database and server allow no more`,
    )
  return allowed
}

/** The first client that can be told to dump an extension. */
const FIRST_WITH_EXTENSION = 14

/** @throws an Error when a pattern of the inputs matches nothing, or when what is chosen could not be restored */
async function choose(
  session: Session,
  { inputs }: Step,
  client: PostgresClient,
  report: Report,
): Promise<Chosen> {
  const selection = await resolveFilters(session, inputs)
  const additions = await completeSelection(session, selection, {
    allow: inputs.allowUnrestorable,
    report,
  })
  const extensions = additions.filter(
    ({ kind }) => kind === 'EXTENSION' && client.major >= FIRST_WITH_EXTENSION,
  )
  return {
    contents: { ...selection.contents, extensions: extensions.map(({ name }) => identifier(name)) },
    additions,
    ...(await readSeparateTables(session, inputs, selection)),
  }
}

/** What has been reported is not repeated. */
const SILENT: Report = { info: () => undefined, warning: () => undefined }

/** Chooses again what is dumped: hooks may have run, and partitions are created at any time. */
export async function chooseAgain(step: Step, source: SourceDatabase): Promise<SourceDatabase> {
  if (Object.keys(dumpFilters(step.inputs)).length === 0) return source
  await using session = await step.session(source.connection)
  return { ...source, ...(await choose(session, step, source.client, SILENT)) }
}
