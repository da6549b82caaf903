import { readDatabases } from '../database/databases.ts'
import { describeCounts } from '../masking/plan-text.ts'
import { formatBytes, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Shortenable } from '../report/outputs.ts'
import { checkAge } from '../restoring/dump-age.ts'
import { selectionOf } from '../step/open-storage.ts'
import type { Step } from '../step/step.ts'
import { parseDumpKey } from '../storage/keys.ts'
import { type ListedDump, listDumps } from '../storage/list-dumps.ts'
import { scopeOf } from '../storage/series.ts'
import { localSummary } from '../summary/database-summary.ts'
import type { Outcome } from '../summary/outcome.ts'
import { listSummary } from '../summary/storage-summary.ts'

/** Lists the stored dumps, newest first, or with `local` the databases of a server. */
export function list(step: Step): Promise<Outcome> {
  return step.inputs.local ? listDatabases(step) : listStoredDumps(step)
}

async function listDatabases(step: Step): Promise<Outcome> {
  await using session = await step.maintenance({ keepsTarget: true })
  const databases = await readDatabases(session, { sizes: true })
  for (const { name, owner, size, marker } of databases) {
    const made = marker ? `  (${marker.kind} of ${marker.of}, ${marker.at})` : ''
    log.info(`${name}  ${owner}  ${size === null ? '?' : formatBytes(size)}${made}`)
  }
  return {
    outputs: { dumps: JSON.stringify(databases), 'dump-count': databases.length },
    summary: [localSummary(databases, step.target.label)],
  }
}

async function listStoredDumps(step: Step): Promise<Outcome> {
  const storage = await step.storage()
  const dumps = await listDumps(storage, scopeOf(selectionOf(step.inputs)))
  log.info(`${formatQuantity(dumps.length, 'dump')} in ${storage.address('')}`)
  for (const dump of dumps) {
    const masked = 'mask' in dump && dump.mask ? `  (${describeCounts(dump.mask.columns)})` : ''
    log.info(`${dump.key}  ${formatBytes(dump.size)}${dump.committed ? '' : '  (not committed)'}${masked}`)
  }
  const newest = dumps.find((dump) => dump.committed)
  checkAge(step.inputs, newest ? parseDumpKey(newest.key) : null)
  return {
    outputs: { dumps: dumpsOutput(dumps), 'dump-count': dumps.length },
    summary: [listSummary(dumps, storage.address(''))],
  }
}

/** The manifests; without their tables if those would make the output too long for a later step. */
function dumpsOutput(dumps: readonly ListedDump[]): Shortenable {
  const withoutTables = dumps.map((dump) => ({ ...dump, tables: undefined }))
  return { whole: JSON.stringify(dumps), shorter: JSON.stringify(withoutTables) }
}
