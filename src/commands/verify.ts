import { checkAssertions } from '../database/assertions.ts'
import { onDatabase } from '../database/connection/connection.ts'
import { Session } from '../database/connection/session.ts'
import { countRows, dumpSchema, missingFrom, schemaObjects } from '../database/inspect.ts'
import { lookAtServer, openMaintenance } from '../database/server.ts'
import { createStaging } from '../database/staging.ts'
import { refuseStandby } from '../database/standby.ts'
import { formatDuration, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import { countOutputs, setOutputs } from '../report/outputs.ts'
import {
  type Dump,
  describeDifference,
  findDump,
  type Received,
  receive,
  withoutLeftOut,
} from '../restoring/receive.ts'
import { databaseSink, sizesIn } from '../restoring/transfer-archive.ts'
import type { Context } from '../step/context.ts'
import { connectionOf, openClient, placeOf, toolOptions } from '../step/prepare.ts'
import { Attempts } from '../step/retries.ts'
import { manifestKey } from '../storage/keys.ts'
import { formatManifest, type Manifest } from '../storage/manifest.ts'
import type { Storage } from '../storage/storage.ts'
import { type Evidence, verifySummary } from '../summary/dump-summary.ts'
import { writeSummary } from '../summary/summary.ts'
import { anyClient, type PostgresClient } from '../tools/postgres/provide-client.ts'

/** Restores a stored dump into a throwaway database and compares what came out with what was dumped. */
export async function verify(context: Context): Promise<void> {
  const started = Date.now()
  const attempts = new Attempts(context)
  const prepare = () => Promise.all([findDump(context), anyClient(toolOptions(context))])
  const [dump, { psql }] = await attempts.run(prepare)
  const { manifest } = dump.chosen
  if (!manifest) throw new Error(`${dump.chosen.key} has no manifest, so there is nothing to compare it with`)
  const evidence = await attempts.run(() => tryOut(context, dump, manifest, psql))
  const { at, serverVersion } = evidence
  await attempts.run(() => record(dump.storage, { ...manifest, verified: { at, serverVersion } }))
  const place = placeOf(context, dump.storage, manifest.key)
  const durationMs = Date.now() - started
  log.info(`Verified ${place.uri} in ${formatDuration(durationMs)}`)
  const effort = { durationMs, attempts: attempts.made }
  await writeSummary(context, verifySummary(manifest, evidence, { place, ...effort }))
  setOutputs({
    'dump-key': manifest.key,
    'dump-uri': place.uri,
    'dump-size': manifest.size,
    'dump-sha256': manifest.sha256,
    'created-at': manifest.createdAt,
    ...countOutputs(manifest),
    'server-version': serverVersion,
    verified: 'true',
    'duration-ms': durationMs,
  })
}

/** Writes the evidence into the manifest, which must not come back to life when a prune took the dump meanwhile. */
async function record(storage: Storage, manifest: Manifest): Promise<void> {
  const { key } = manifest
  if ((await storage.size(manifestKey(key))) !== null) {
    await storage.replaceText(manifestKey(key), formatManifest(manifest))
    if ((await storage.size(key)) !== null) return
    await storage.remove(manifestKey(key))
  }
  throw new Error(`${key} was sound, and another run deleted it while it was verified`)
}

/** The throwaway database, from its creation to its end. */
async function tryOut(context: Context, dump: Dump, manifest: Manifest, psql: string): Promise<Evidence> {
  const { environment, inputs, run } = context
  await using session = await openMaintenance(connectionOf(context), inputs.maintenanceDatabase, {
    psql,
    environment,
    direct: true,
  })
  const server = await lookAtServer(session)
  refuseStandby(server, inputs.command)
  if (!server.createdb)
    throw new Error(`The role "${server.role}" may not create databases (CREATEDB), which verify needs`)
  const client = await openClient(context, { serverMajor: server.major, purpose: 'restore' })
  const wanted = { locale: manifest.locale, tablespace: null }
  const throwaway = await createStaging({ session, server, run: run.url }, manifest.database, wanted)
  try {
    const received = await log.group(`Restore into ${throwaway.name}`, async () =>
      receive(
        context,
        dump,
        { server, client, database: throwaway.name },
        databaseSink(context, client, throwaway.name, sizesIn(manifest)),
      ),
    )
    return await log.group('Compare', async () => ({
      ...(await compare(context, manifest, received, client, throwaway.name)),
      serverVersion: server.version,
      clientVersion: client.version,
      at: new Date().toISOString(),
    }))
  } finally {
    await throwaway.drop()
  }
}

async function compare(
  context: Context,
  manifest: Manifest,
  { archive, leftOut }: Received,
  client: PostgresClient,
  database: string,
): Promise<Pick<Evidence, 'tables' | 'objects' | 'assertions'>> {
  const connection = onDatabase(connectionOf(context), database)
  await using session = await Session.open(connection, { ...context, psql: client.psql })
  const expected = withoutLeftOut(manifest.tables, leftOut)
  const counts = await countRows(session, expected)
  const difference = describeDifference(expected, counts)
  if (difference) throw new Error(`The restored database differs from the dump: ${difference}`)
  log.info(`${formatQuantity(counts.length, 'table')} counted again, each with the rows that were dumped`)
  const wanted = schemaObjects(archive.entries)
  const found = schemaObjects((await dumpSchema(connection, client, context.environment)).entries)
  const missing = missingFrom(wanted, found)
  if (missing.length > 0) {
    throw new Error(
      `The restored database lacks ${missing.length} objects of the dump: ${missing.slice(0, 5).join(', ')}`,
    )
  }
  log.info(`All ${wanted.length} schema objects are there`)
  await checkAssertions(context.inputs.verifySql, connection, { ...context, psql: client.psql })
  return { tables: counts.length, objects: wanted.length, assertions: context.inputs.verifySql.length }
}
