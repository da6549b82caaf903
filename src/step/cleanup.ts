import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { messageOf } from '../errors.ts'
import { crossOut, type Pending, readPending, watchLeftovers } from '../leftovers.ts'
import type { Environment } from '../process/environment.ts'
import { log } from '../report/log.ts'
import { openDatabaseTokens } from './database-tokens.ts'
import { checkFork } from './fork-guard.ts'
import { removeFile, removeGroup, removeLeftover } from './remove-leftover.ts'
import type { Step } from './step.ts'
import { withTunnel } from './with-tunnel.ts'

type Remove = (item: Pending) => Promise<boolean>

/** The post step: removes what the main step recorded and could not remove, because it was killed. */
export async function cleanUpAfterMain(step: Step): Promise<void> {
  const items = readPending()
  const databases = items.filter(({ kind }) => kind === 'database' || kind === 'connections')
  const remove: Remove = (item) => removeLeftover(step, item)
  await cleanUp(
    items.filter((item) => !databases.includes(item)),
    remove,
  )
  if (databases.length === 0) return
  // Another step may have checked out other code since, and the tunnel may run files of it.
  if (step.inputs.tunnelCommand !== '') await checkFork(step)
  await withTunnel(step, async () => {
    using _ = await openDatabaseTokens(step)
    await cleanUp(databases, remove)
  })
}

/** The post step without the inputs of the main step: removes only what needs neither database nor storage. */
export function cleanUpWithoutInputs(environment: Environment): Promise<void> {
  return cleanUp(readPending(), async (item) => {
    if (item.kind === 'file') return removeFile(item.path, [resolve(environment.RUNNER_TEMP || tmpdir())])
    if (item.kind === 'process') return removeGroup(item)
    throw new Error(
      'the inputs of this step or its config-file have changed since its main step began; remove it by hand, or let a later run find it',
    )
  })
}

/** Returns what removes what the attempts from now on could not remove, because their connections were gone. */
export function watchAttempts(step: Step): () => Promise<void> {
  const leftovers = watchLeftovers()
  return () => cleanUp(leftovers(), (item) => removeLeftover(step, item))
}

async function cleanUp(items: readonly Pending[], remove: Remove): Promise<void> {
  for (const item of items) {
    try {
      const removed = await remove(item)
      crossOut(item)
      if (removed) log.info(`Removed what the step left behind: ${describe(item)}`)
    } catch (error) {
      log.warning(`Could not remove ${describe(item)}: ${messageOf(error)}`)
    }
  }
}

function describe(item: Pending): string {
  if (item.kind === 'file') return `the temporary file ${item.path}`
  if (item.kind === 'data') return `the data of ${item.keys.join(', ')}`
  if (item.kind === 'process') return 'the processes of tunnel-command, a hook or the AWS CLI'
  if (item.kind === 'connections') return `the block on connections to "${item.database}"`
  return item.kind === 'upload' ? `the upload of ${item.key}` : `the database "${item.name}"`
}
