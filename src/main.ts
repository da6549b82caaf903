import * as core from '@actions/core'
import { copy } from './commands/copy.ts'
import { diff } from './commands/diff.ts'
import { drop } from './commands/drop.ts'
import { dump } from './commands/dump.ts'
import { list } from './commands/list.ts'
import { prune } from './commands/prune.ts'
import { restore } from './commands/restore.ts'
import { verify } from './commands/verify.ts'
import { messageOf } from './errors.ts'
import type { Command, Inputs } from './inputs/inputs.ts'
import { readInputs, readPingUrl, wantsSummary } from './inputs/read-inputs.ts'
import { inputNotices, inputWarnings } from './inputs/rules.ts'
import { beginRecord, readPending } from './leftovers.ts'
import { allWarnings, log } from './report/log.ts'
import { fitOutputs, setOutputs } from './report/outputs.ts'
import { hideSecrets } from './report/secrets.ts'
import { onCancel } from './step/cancel.ts'
import { cleanUpAfterMain, cleanUpWithoutInputs, watchAttempts } from './step/cleanup.ts'
import { openDatabaseTokens } from './step/database-tokens.ts'
import { checkFork } from './step/fork-guard.ts'
import { readInputsOfMain, recordInputs } from './step/inputs-of-main.ts'
import { beginPings, type Pings } from './step/ping.ts'
import { startStep, workflowRun } from './step/start-step.ts'
import type { Step } from './step/step.ts'
import { withTunnel } from './step/with-tunnel.ts'
import type { Outcome } from './summary/outcome.ts'
import { reportOf } from './summary/report.ts'
import { failureSummary, writeSummary } from './summary/summary.ts'

const COMMANDS: Readonly<Record<Command, (step: Step) => Promise<Outcome>>> = {
  dump,
  restore,
  list,
  verify,
  copy,
  drop,
  prune,
  diff,
}

/** What is known of the step so far. */
type Known = { inputs: Inputs | null; step: Step | null; pings: Pings | null; signal: AbortSignal }

/** Runs the step: reads the inputs, runs the command, reports. It holds the only catch, and nothing else fails the step. */
export async function run(stage: 'main' | 'post'): Promise<void> {
  const cancel = onCancel()
  const known: Known = { inputs: null, step: null, pings: null, signal: cancel.signal }
  try {
    await (stage === 'post' ? runPost(known) : runMain(known))
  } catch (error) {
    const reason = describeError(error)
    await fail(reason, known.inputs)
    if (stage === 'main') setOutputs({ report: describe(known, reason) })
  } finally {
    await known.pings?.end(process.exitCode ? 'fail' : 'success')
    cancel.done()
  }
}

async function runMain(known: Known): Promise<void> {
  const { env } = process
  try {
    known.inputs = readInputs(env)
  } finally {
    const url = known.inputs ? known.inputs.pingUrl : readPingUrl(env)
    known.pings = beginPings(url, env, known.signal)
  }
  known.step = startStep(known.inputs, env, { signal: known.signal, watchAttempts })
  await using _ = known.step.role
  const failure = await runCommand(known.step, known)
  if (failure) await fail(failure, known.inputs)
}

async function runPost({ signal }: Known): Promise<void> {
  // Later steps may have changed the workspace, so the post step reads its config file only when there is work.
  if (readPending().length === 0) return
  const inputs = await readInputsOfMain(process.env)
  if (!inputs) return await cleanUpWithoutInputs(process.env)
  const step = startStep(inputs, process.env, { signal, watchAttempts })
  await using _ = step.role
  await cleanUpAfterMain(step)
}

/** @param inputs null when they could not be read */
async function fail(reason: string, inputs: Inputs | null): Promise<void> {
  log.failed(reason, inputs ? `pgclone: ${inputs.command} failed` : 'pgclone: wrong inputs')
  const step = { inputs: inputs ?? { summary: wantsSummary(process.env) }, environment: process.env }
  await writeSummary(step, failureSummary(reason, inputs, process.env))
}

/** Returns the output `report`. */
function describe({ inputs, step, signal }: Known, error: string | null, outcome?: Outcome): string {
  const { durationMs, attempts } = step?.effort ?? { durationMs: 0, attempts: 0 }
  const failed = signal.aborted ? ('cancelled' as const) : ('failure' as const)
  return reportOf({
    ...{ inputs, error, durationMs, attempts, status: error === null ? 'success' : failed },
    ...{ outputs: outcome?.outputs ?? {}, details: outcome?.details ?? {} },
    ...{ warnings: allWarnings(), run: workflowRun(process.env) },
  })
}

/** @returns why the step fails although the command has done its work, or null */
async function runCommand(step: Step, known: Known): Promise<string | null> {
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
  const failure = outcome.failure ?? null
  const outputs = await fitOutputs({ ...outcome.outputs, 'duration-ms': durationMs }, step.tempDirectory)
  for (const section of outcome.summary) await writeSummary(step, section)
  setOutputs({ ...outputs, report: describe(known, failure, outcome) })
  return failure
}

/** Returns one sentence for the user, and writes the stack to the debug log. */
function describeError(error: unknown): string {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    core.debug(hideSecrets(cause.stack ?? cause.message))
  return hideSecrets(messageOf(error))
}
