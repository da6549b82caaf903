import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { dropDatabase, lookAtServer } from '../database/server.ts'
import { allowConnections } from '../database/swap.ts'
import { messageOf } from '../errors.ts'
import { crossOut, openLeftovers, type Pending, readPending } from '../leftovers.ts'
import { endGroup } from '../process/process-group.ts'
import { removeTree } from '../process/remove-tree.ts'
import { log } from '../report/log.ts'
import { manifestKey } from '../storage/keys.ts'
import type { Storage } from '../storage/storage.ts'
import { openDatabaseTokens } from './database-tokens.ts'
import type { Step } from './step.ts'
import { withTunnel } from './with-tunnel.ts'

const RECHECK_DELAY_MS = 2000

/** The post step: removes what the main step recorded and could not remove, because it was killed. */
export async function cleanUpAfterMain(step: Step): Promise<void> {
  const items = readPending()
  const databases = items.filter(({ kind }) => kind === 'database' || kind === 'connections')
  await cleanUp(
    step,
    items.filter((item) => !databases.includes(item)),
  )
  if (databases.length > 0) await withTunnel(step, () => cleanUp(step, databases))
}

/** Removes what a failed attempt could not remove, because its connection was gone. */
export function cleanUpAfterAttempt(step: Step): Promise<void> {
  return cleanUp(step, openLeftovers())
}

async function cleanUp(step: Step, items: readonly Pending[]): Promise<void> {
  for (const item of items) {
    try {
      await remove(step, item)
      crossOut(item)
      log.info(`Removed what the step left behind: ${describe(item)}`)
    } catch (error) {
      log.warning(`Could not remove ${describe(item)}: ${messageOf(error)}`)
    }
  }
}

function describe(item: Pending): string {
  if (item.kind === 'file') return `the temporary file ${item.path}`
  if (item.kind === 'data') return `the data of ${item.keys.join(', ')}`
  if (item.kind === 'process') return 'the processes of tunnel-command'
  if (item.kind === 'connections') return `the block on connections to "${item.database}"`
  return item.kind === 'upload' ? `the upload of ${item.key}` : `the database "${item.name}"`
}

/** Removes data without a manifest. The AWS CLI completes an upload if it outlives this process. */
async function removeData(storage: Storage, keys: readonly string[]): Promise<void> {
  for (const folder of new Set(keys.map((key) => posix.dirname(key)))) {
    const stored = new Set((await storage.list(folder)).map(({ key }) => key))
    await storage.removeAll(keys.filter((key) => stored.has(key) && !stored.has(manifestKey(key))))
  }
}

/** Removes a file until it stays away: an AWS CLI that outlived this process creates its download folder again. */
async function removeFile(path: string): Promise<void> {
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    await removeTree(path)
    await wait(RECHECK_DELAY_MS)
    if (!existsSync(path)) return
  }
  throw new Error('a program still writes to it; end that program and delete it by hand')
}

async function remove(step: Step, item: Pending): Promise<void> {
  if (item.kind === 'file') return removeFile(item.path)
  if (item.kind === 'upload') return (await step.storage()).abandon(item.key)
  if (item.kind === 'data') return removeData(await step.storage(), item.keys)
  if (item.kind === 'process') return endGroup(item.pid, item.identity)
  using _ = await openDatabaseTokens(step)
  await using session = await step.maintenance()
  if (item.kind === 'connections') await allowConnections(session, item.database)
  else await dropDatabase(session, await lookAtServer(session), item.name)
}
