import type { TocEntry } from '../archive/archive.ts'
import type { Connection } from '../database/connection/connection.ts'
import { dumpSchema } from '../database/inspect.ts'
import { lookAtServer } from '../database/server.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { Manifest } from '../storage/manifest.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'
import { readEntries } from './download-dump.ts'
import { type Dump, dumpFinder } from './find-dump.ts'

/** A schema as a table of contents, with what wrote it. */
export type Schema = {
  /** What to call it: an address of a database, or of a dump. */
  label: string
  entries: readonly TocEntry[]
  /** Null if a dump has no manifest. */
  versions: { server: string; client: string } | null
  /** The dump that it is from; null for a database. */
  dump: Dump | null
}

/** Reads the schema of `database-url`, and the one to compare it with. The same `pg_dump` reads both databases. */
export async function readSchemas(
  step: Step,
  scope: AsyncDisposableStack,
): Promise<{ before: Schema; after: Schema }> {
  const { sourceConnection } = step.inputs
  const servers = [await readServer(step, step.target)]
  if (sourceConnection) servers.push(await readServer(step, step.source))
  const serverMajor = Math.max(...servers.map(({ major }) => major))
  const client = await step.client({ serverMajor, purpose: 'dump' })
  const before = sourceConnection
    ? await readDatabase(step, step.source, client, servers[1]!)
    : await readStored(step, scope)
  return { before, after: await readDatabase(step, step.target, client, servers[0]!) }
}

type Version = { major: number; version: string }

async function readServer(step: Step, connection: Connection): Promise<Version> {
  await using session = await step.session(connection)
  const server = await lookAtServer(session)
  log.info(`${connection.label}: PostgreSQL ${server.version}, as "${server.role}"`)
  return server
}

async function readDatabase(
  step: Step,
  connection: Connection,
  client: PostgresClient,
  { version }: Version,
): Promise<Schema> {
  const { entries } = await dumpSchema(connection, client, step.environment, { withOwners: true })
  return {
    label: connection.label,
    entries,
    versions: { server: version, client: client.version },
    dump: null,
  }
}

/** Reads the beginning of a stored dump, where its table of contents is. */
async function readStored(step: Step, scope: AsyncDisposableStack): Promise<Schema> {
  const dump = await dumpFinder(step, scope)()
  const { manifest, key } = dump.chosen
  const versions = manifest && { server: manifest.serverVersion, client: manifest.clientVersion }
  return { label: key, entries: await readEntries(dump), versions, dump }
}

/** Returns the filters of the dump itself. They apply to the other side too, which would have more otherwise. */
export function filtersOf({ dump }: Schema): Manifest['filters'] {
  return dump?.chosen.manifest?.filters ?? {}
}

const majorOf = (version: string) => Number.parseInt(version, 10)

/** Warns when definitions may be written in two ways, because other releases of PostgreSQL wrote them. */
export function warnOfVersions(before: Schema, after: Schema): void {
  const [old, now] = [before.versions, after.versions]
  if (!old || !now) {
    log.warning(
      `Nothing says which release of pg_dump made ${before.label}; another one may write a definition otherwise`,
    )
    return
  }
  const differing = (['server', 'client'] as const).filter((one) => majorOf(old[one]) !== majorOf(now[one]))
  if (differing.length === 0) return
  const named = differing.map((one) =>
    one === 'server'
      ? `PostgreSQL ${old.server} and ${now.server}`
      : `pg_dump ${old.client} and ${now.client}`,
  )
  log.warning(
    `The schemas come from ${named.join(', and from ')}, which may write the same definition in different ways: of the differences, some may be only that`,
  )
}
