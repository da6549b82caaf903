import * as core from '@actions/core'
import { copy } from './commands/copy.ts'
import { drop } from './commands/drop.ts'
import { dump } from './commands/dump.ts'
import { list } from './commands/list.ts'
import { prune } from './commands/prune.ts'
import { restore } from './commands/restore.ts'
import { verify } from './commands/verify.ts'
import { messageOf } from './errors.ts'
import type { Command, Inputs } from './inputs/inputs.ts'
import { readInputs, wantsSummary } from './inputs/read-inputs.ts'
import { inputNotices, inputWarnings } from './inputs/rules.ts'
import { beginRecord, readPending } from './leftovers.ts'
import { log } from './report/log.ts'
import { fitOutputs, setOutputs } from './report/outputs.ts'
import { hideSecrets } from './report/secrets.ts'
import { onCancel } from './step/cancel.ts'
import { cleanUpAfterMain, cleanUpWithoutInputs, watchAttempts } from './step/cleanup.ts'
import { openDatabaseTokens } from './step/database-tokens.ts'
import { checkFork } from './step/fork-guard.ts'
import { readInputsOfMain, recordInputs } from './step/inputs-of-main.ts'
import { startStep } from './step/start-step.ts'
import type { Step } from './step/step.ts'
import { withTunnel } from './step/with-tunnel.ts'
import type { Outcome } from './summary/outcome.ts'
import { failureSummary, writeSummary } from './summary/summary.ts'

const COMMANDS: Readonly<Record<Command, (step: Step) => Promise<Outcome>>> = {
  dump,
  restore,
  list,
  verify,
  copy,
  drop,
  prune,
}

/** Runs the step: reads the inputs, runs the command, reports. It holds the only catch, and nothing else fails the step. */
export async function run(stage: 'main' | 'post'): Promise<void> {
  const cancel = onCancel()
  let inputs: Inputs | null = null
  try {
    // Later steps may have changed the workspace, so the post step reads its config file only when there is work.
    if (stage === 'post' && readPending().length === 0) return
    inputs = stage === 'post' ? await readInputsOfMain(process.env) : readInputs(process.env)
    if (!inputs) return await cleanUpWithoutInputs(process.env)
    const step = startStep(inputs, process.env, { signal: cancel.signal, watchAttempts })
    await using _ = step.role
    await (stage === 'post' ? cleanUpAfterMain(step) : runCommand(step))
  } catch (error) {
    await fail(describeError(error), inputs)
  } finally {
    cancel.done()
  }
}

/** @param inputs null when they could not be read */
async function fail(reason: string, inputs: Inputs | null): Promise<void> {
  log.failed(reason, inputs ? `pgclone: ${inputs.command} failed` : 'pgclone: wrong inputs')
  const step = { inputs: inputs ?? { summary: wantsSummary(process.env) }, environment: process.env }
  await writeSummary(step, failureSummary(reason, inputs, process.env))
}

async function runCommand(step: Step): Promise<void> {
  const { inputs } = step
  const { namedSet } = inputs
  beginRecord()
  await recordInputs(inputs)
  if (namedSet)
    log.info(`From "${namedSet.name}" in ${namedSet.file}: ${Object.keys(namedSet.inputs).join(', ')}`)
  for (const notice of inputNotices(inputs)) log.notice(notice)
  for (const warning of inputWarnings(inputs)) log.warning(warning)
  await checkFork(step)
  const outcome = await withTunnel(step, async () => {
    using _ = await openDatabaseTokens(step)
    return await COMMANDS[inputs.command](step)
  })
  const { durationMs } = step.effort
  const outputs = await fitOutputs({ ...outcome.outputs, 'duration-ms': durationMs }, step.tempDirectory)
  for (const section of outcome.summary) await writeSummary(step, section)
  setOutputs(outputs)
  if (outcome.failure) throw new Error(outcome.failure)
}

/** Returns one sentence for the user, and writes the stack to the debug log. */
function describeError(error: unknown): string {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    core.debug(hideSecrets(cause.stack ?? cause.message))
  return hideSecrets(messageOf(error))
}
