import { checkAssertions } from '../database/assertions.ts'
import { onDatabase } from '../database/connection/connection.ts'
import { runHooks } from '../database/hooks.ts'
import { relatedName } from '../database/names.ts'
import { propertyStatements } from '../database/properties.ts'
import type { Server } from '../database/server.ts'
import { copyDatabase, restoreDurability, type TemporaryDatabase } from '../database/staging.ts'
import { sweepDatabases } from '../database/sweep.ts'
import { formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import { dryRunSummary } from '../summary/database-summary.ts'
import type { Outcome } from '../summary/outcome.ts'
import { swapIn } from './swap-in.ts'
import { analyze, lookAtTarget, type Target } from './target.ts'

/** What a command puts in the place of the target. */
export type Replacement<Result> = {
  /** Human-readable description of the replacement, shown in dry runs. */
  what: string
  /** Refuses what cannot be built, also before a dry run. */
  check?: (target: Target) => Promise<void>
  /** Builds it beside the target. It drops what it began when it fails. */
  build: (target: Target) => Promise<{ staging: TemporaryDatabase; result: Result }>
  /** Hooks that still have to run on it; a template may have had some already. */
  hooks: readonly string[]
}

export type Replaced<Result> = {
  result: Result
  database: string
  /** Name of the kept old database, with `reversible`. */
  previous: string | null
  server: Server
}

/**
 * Shared workflow of `restore` and `copy`: lock the target, build the replacement, run hooks and assertions, swap.
 *
 * @returns the outcome of the step after a dry run
 */
export async function replaceDatabase<Result>(
  step: Step,
  { what, check, build, hooks }: Replacement<Result>,
): Promise<Replaced<Result> | Outcome> {
  const { inputs } = step
  await using session = await step.maintenance({ direct: true })
  const target = await log.group('Look at the target', () => lookAtTarget(step, session))
  await check?.(target)
  if (inputs.dryRun) return dryRun(inputs.command, describePlan(step, target, what, hooks))
  await sweepDatabases(session, target.server)
  const { staging: built, result } = await build(target)
  await using staging = built
  await restoreDurability(target.maker, staging)
  await using post = inputs.reversible
    ? await copyDatabase(target.maker, staging.name, target.name, null)
    : null
  await finish(step, target, staging, hooks)
  const previous = await swapIn(step, target, staging, post)
  return { result, database: target.name, previous, server: target.server }
}

/** Reports, in the log and in the outcome, what would have been done. */
export function dryRun(command: string, plan: string): Outcome {
  log.info(`Dry run: ${plan}`)
  return { outputs: {}, summary: [dryRunSummary(command, plan)] }
}

/** What would happen, in a sentence; everything that is checked before the work was checked by now. */
function describePlan(
  { inputs }: Step,
  { name, properties }: Target,
  what: string,
  hooks: readonly string[],
): string {
  const before = hooks.length === 0 ? '' : ` after ${formatQuantity(hooks.length, 'pre-swap hook')}`
  const kept = inputs.reversible ? `be kept as "${relatedName(name, 'pre')}"` : 'be dropped'
  const old = properties ? `; the present "${name}" would ${kept}` : ''
  return `${what} would become "${name}"${before}${old}`
}

/** Hooks, assertions, statistics, and the properties of the database that is to be replaced. */
async function finish(
  step: Step,
  target: Target,
  { name, copied }: TemporaryDatabase,
  hooks: readonly string[],
): Promise<void> {
  const { client, properties, session } = target
  const connection = onDatabase(step.target, name)
  const options = step.hookOptions(client)
  await runHooks('pre-swap-hooks', hooks, connection, options)
  await checkAssertions(step.inputs.verifySql, connection, options)
  if (!copied || hooks.length > 0) await analyze(step, target, name)
  // The comment is for the swap: until then it says that this is a staging database.
  if (properties) await session.execute(...propertyStatements(name, { ...properties, comment: null }))
}
