import { readDatabases } from '../database/databases.ts'
import { openMaintenance } from '../database/server.ts'
import { formatBytes, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import { setOutputs } from '../report/outputs.ts'
import { checkAge } from '../restoring/dump-age.ts'
import type { Context } from '../step/context.ts'
import { connectionOf, narrowingOf, openStorage, prefixOf, toolOptions } from '../step/prepare.ts'
import { isWanted, readCatalogue, readManifests } from '../storage/dump-catalog.ts'
import { parseDumpKey } from '../storage/keys.ts'
import type { Storage } from '../storage/storage.ts'
import { localSummary } from '../summary/database-summary.ts'
import { type ListedDump, listSummary } from '../summary/storage-summary.ts'
import { writeSummary } from '../summary/summary.ts'
import { anyClient } from '../tools/postgres/provide-client.ts'

/** Shows the stored dumps, newest first; with `local`, the databases of a server. */
export async function list(context: Context): Promise<void> {
  await (context.inputs.local ? listDatabases(context) : listDumps(context))
}

async function listDatabases(context: Context): Promise<void> {
  const started = Date.now()
  const { inputs, environment } = context
  const { psql } = await anyClient(toolOptions(context))
  const connection = connectionOf(context)
  await using session = await openMaintenance(connection, inputs.maintenanceDatabase, { psql, environment })
  const databases = await readDatabases(session)
  for (const { name, owner, size, marker } of databases) {
    const made = marker ? `  (${marker.kind} of ${marker.of}, ${marker.at})` : ''
    log.info(`${name}  ${owner}  ${size === null ? '?' : formatBytes(size)}${made}`)
  }
  await writeSummary(context, localSummary(databases, connection.label))
  setOutputs({
    dumps: JSON.stringify(databases),
    'dump-count': databases.length,
    'duration-ms': Date.now() - started,
  })
}

async function listDumps(context: Context): Promise<void> {
  const started = Date.now()
  const storage = await openStorage(context)
  const dumps = await findDumps(context, storage)
  log.info(`${formatQuantity(dumps.length, 'dump')} in ${storage.address('')}`)
  for (const dump of dumps) {
    log.info(`${dump.key}  ${formatBytes(dump.size)}${dump.committed ? '' : '  (not committed)'}`)
  }
  const newest = dumps.find((dump) => dump.committed)
  checkAge(context.inputs, newest ? parseDumpKey(newest.key) : null)
  await writeSummary(context, listSummary(dumps, storage.address('')))
  setOutputs({
    dumps: JSON.stringify(dumps),
    'dump-count': dumps.length,
    'duration-ms': Date.now() - started,
  })
}

async function findDumps(context: Context, storage: Storage): Promise<ListedDump[]> {
  const prefix = prefixOf(context)
  const { entries, orphans } = await readCatalogue(storage, prefix)
  for (const orphan of orphans) log.warning(`${orphan.key} has a manifest and its data is gone`)
  const narrowing = narrowingOf(context)
  const wanted = entries.filter(({ key }) => isWanted(key, narrowing))
  const manifests = await readManifests(storage, wanted, prefix)
  return wanted.map(({ key, size, committed }) => ({
    ...(manifests.get(key.key) ?? { ...key, size }),
    committed,
  }))
}
