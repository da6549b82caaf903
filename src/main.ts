import * as core from '@actions/core'
import { copy } from './commands/copy.ts'
import { drop } from './commands/drop.ts'
import { dump } from './commands/dump.ts'
import { list } from './commands/list.ts'
import { prune } from './commands/prune.ts'
import { restore } from './commands/restore.ts'
import { verify } from './commands/verify.ts'
import { type Command, type Inputs, readInputs, wantsSummary } from './inputs/inputs.ts'
import { inputWarnings } from './inputs/rules.ts'
import { readPending } from './leftovers.ts'
import { log } from './report/log.ts'
import { hideSecrets } from './report/secrets.ts'
import { onCancel } from './step/cancel.ts'
import { cleanUpAfterMain } from './step/cleanup.ts'
import { type Context, makeContext } from './step/context.ts'
import { openDatabaseTokens } from './step/database-tokens.ts'
import { checkTrust } from './step/fork-guard.ts'
import { throughTunnel } from './step/with-tunnel.ts'
import { failureSummary, writeSummary } from './summary/summary.ts'

const COMMANDS: Readonly<Record<Command, (context: Context) => Promise<void>>> = {
  dump,
  restore,
  list,
  verify,
  copy,
  drop,
  prune,
}

const POST = 'post'

/** The step: inputs → command → report. The only catch of the whole, and the only place that fails the step. */
export async function run(): Promise<void> {
  const isPost = core.getState(POST) !== ''
  core.saveState(POST, 'yes')
  // Later steps may have changed the workspace, so that inputs from its config-file are read only when there is work.
  if (isPost && readPending().length === 0) return
  const cancel = onCancel()
  let inputs: Inputs | null = null
  try {
    inputs = readInputs(process.env)
    const context = makeContext(inputs, process.env, cancel.signal)
    await using _ = context.role
    await (isPost ? cleanUpAfterMain(context) : runCommand(context))
  } catch (error) {
    await fail(describeError(error), inputs)
  } finally {
    cancel.done()
  }
}

/** @param inputs null when they could not be read */
async function fail(reason: string, inputs: Inputs | null): Promise<void> {
  log.failed(reason, inputs ? `pgclone: ${inputs.command} failed` : 'pgclone: wrong inputs')
  const context = { inputs: inputs ?? { summary: wantsSummary(process.env) }, environment: process.env }
  await writeSummary(context, failureSummary(reason, inputs, process.env))
}

async function runCommand(context: Context): Promise<void> {
  const { namedSet } = context.inputs
  if (namedSet)
    log.info(`From "${namedSet.name}" in ${namedSet.file}: ${Object.keys(namedSet.inputs).join(', ')}`)
  for (const warning of inputWarnings(context.inputs)) log.warning(warning)
  await checkTrust(context)
  await throughTunnel(context, async (reachable) => {
    using tokens = await openDatabaseTokens(reachable)
    await COMMANDS[context.inputs.command](tokens.context)
  })
}

/** One sentence for the user; where it came from is for the debug log. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return hideSecrets(String(error))
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    core.debug(hideSecrets(cause.stack ?? cause.message))
  return error.message
}
