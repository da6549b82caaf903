import type { Context } from '../context.ts'
import { formatBytes } from '../report/format.ts'
import { log } from '../report/log.ts'
import { setOutputs } from '../report/outputs.ts'
import { listSummary, writeSummary } from '../report/summary.ts'
import { readCatalogue, readManifests } from '../storage/catalogue.ts'
import { isBelow, keyPart } from '../storage/keys.ts'
import type { Manifest } from '../storage/manifest.ts'
import { openStorage } from './prepare.ts'

/** A stored dump as `list` shows it: its manifest, or for one that is not committed what its key tells. */
export type ListedDump = (
  | Manifest
  | Pick<Manifest, 'key' | 'createdAt' | 'instance' | 'database' | 'config' | 'size'>
) & {
  committed: boolean
}

/** Shows the stored dumps, newest first. */
export async function list(context: Context): Promise<void> {
  const started = Date.now()
  const storage = await openStorage(context)
  const dumps = await findDumps(context, storage)
  log.info(`${dumps.length} dumps in ${storage.address('')}`)
  for (const dump of dumps) {
    log.info(`${dump.key}  ${formatBytes(dump.size)}${dump.committed ? '' : '  (not committed)'}`)
  }
  await writeSummary(context, listSummary(dumps, storage.address('')))
  setOutputs({
    dumps: JSON.stringify(dumps),
    'dump-count': dumps.length,
    'duration-ms': Date.now() - started,
  })
}

async function findDumps(
  { inputs }: Context,
  storage: Awaited<ReturnType<typeof openStorage>>,
): Promise<ListedDump[]> {
  const prefix = inputs.dumpKey === 'latest' ? '' : inputs.dumpKey
  const { entries, orphans } = await readCatalogue(storage, prefix)
  for (const orphan of orphans) log.warning(`${orphan.key} has a manifest and its data is gone`)
  const instance = inputs.instance && keyPart(inputs.instance)
  const config = inputs.config === 'none' ? '' : keyPart(inputs.config)
  const wanted = entries.filter(({ key }) => {
    return (
      isBelow(key.key, prefix) &&
      (!instance || key.instance === instance) &&
      (!config || key.config === config)
    )
  })
  const manifests = await readManifests(storage, wanted, prefix)
  return wanted.map(({ key, size, committed }) => ({
    ...(manifests.get(key.key) ?? { ...key, size }),
    committed,
  }))
}
