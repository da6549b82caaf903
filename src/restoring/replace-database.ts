import { allOf } from '../all-of.ts'
import { analyzeWith } from '../database/analyze.ts'
import { onDatabase } from '../database/connection/connection.ts'
import { relatedName } from '../database/names.ts'
import { propertyStatements } from '../database/properties.ts'
import { copyDatabase, type TemporaryDatabase } from '../database/staging.ts'
import { sweepDatabases } from '../database/sweep.ts'
import { beginWork, endWork } from '../database/work-settings.ts'
import { writeEarly } from '../database/write-early.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { onceDone } from '../once-done.ts'
import { formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import { dryRunSummary } from '../summary/database-summary.ts'
import type { LiveDatabase, Outcome } from '../summary/outcome.ts'
import { keepClaim } from './keep-claim.ts'
import { rightsBefore, warnOfLostRights } from './lost-rights.ts'
import { runOnStaging } from './run-on-staging.ts'
import { swapIn } from './swap-in.ts'
import { lookAtTarget, type Target } from './target.ts'

/** How a command builds the database that replaces the target. */
export type Replacement<Result> = {
  /** Human-readable description of the replacement, shown in dry runs. */
  what: string
  /** Throws if the replacement cannot be built. Runs before a dry run too. */
  check?: (target: Target) => Promise<void>
  /** Builds the replacement beside the target. If it fails, it drops what it has begun. */
  build: (target: Target) => Promise<{ staging: TemporaryDatabase; result: Result }>
  /** Hooks that must run on the replacement. A template may have had some already. */
  hooks: readonly string[]
}

export type Replaced<Result> = LiveDatabase & { result: Result }

/**
 * Shared workflow of `restore` and `copy`: lock the target, build the replacement, run hooks and assertions, swap.
 *
 * @param prepare finds the replacement, while the target is looked at and not touched; its error comes first
 * @returns the outcome of the step after a dry run
 */
export async function replaceDatabase<Result>(
  step: Step,
  prepare: () => Promise<Replacement<Result>>,
): Promise<Replaced<Result> | Outcome> {
  const { inputs } = step
  await using scope = new AsyncDisposableStack()
  const look = async () => lookAtTarget(step, scope.use(await step.maintenance({ direct: true })))
  const [replacement, target] = await log.group('Prepare', () => allOf([prepare(), look()]))
  const { what, check, build, hooks } = replacement
  await check?.(target)
  if (inputs.dryRun) return dryRun(inputs.command, describePlan(inputs, target, what, hooks))
  await sweepDatabases(target.session)
  const { staging: built, result } = await build(target)
  await using staging = built
  await keepClaim(step, target, [staging.name], scope)
  await using post = inputs.reversible
    ? await copyDatabase(target.maker, staging.name, target.name, null)
    : null
  if (staging.copied) await beginWork(target.maker, staging.name, target.properties?.settings ?? [])
  await finish(step, target, staging, hooks)
  await keepClaim(step, target, post ? [staging.name, post.name] : [staging.name], scope)
  await endWork(target.maker, staging.name)
  await copyProperties(target, staging)
  step.signal.throwIfAborted()
  const previous = await swapIn(target, staging, {
    post,
    keepOld: inputs.reversible,
    disposable: inputs.disposable,
    expiresAfter: inputs.expiresAfter,
  })
  return { result, database: target.name, previous, serverVersion: target.server.version }
}

/** Reports, in the log and in the outcome, what would have been done. */
export function dryRun(command: string, plan: string): Outcome {
  log.info(`Dry run: ${plan}`)
  return { outputs: {}, summary: [dryRunSummary(command, plan)] }
}

/** Describes in a sentence what would happen. All checks before the work have passed by now. */
function describePlan(
  inputs: Inputs,
  { name, properties }: Target,
  what: string,
  hooks: readonly string[],
): string {
  const before = hooks.length === 0 ? '' : ` after ${formatQuantity(hooks.length, 'pre-swap hook')}`
  const kept = inputs.reversible ? `be kept as "${relatedName(name, 'pre')}"` : 'be dropped'
  const template = properties?.isTemplate ? ', and the new one would be a template as well' : ''
  const old = properties ? `; the present "${name}" would ${kept}${template}` : ''
  return `${what} would become "${name}"${before}${old}`
}

/**
 * Runs hooks and assertions, collects statistics and compares rights with those in the target. Meanwhile the server writes
 * what the drop of the old database would wait for.
 */
async function finish(
  step: Step,
  target: Target,
  { name, copied }: TemporaryDatabase,
  hooks: readonly string[],
): Promise<void> {
  const { inputs } = step
  const { client, server, properties, session } = target
  await runOnStaging(step, client, name, { hooks, assertions: inputs.verifySql })
  await using scope = new AsyncDisposableStack()
  const open = () => step.session(onDatabase(step.target, name))
  const shared = onceDone(async () => scope.use(await open()))
  const lacksStatistics = !copied || hooks.length > 0
  // It connects first: where only one more session is allowed, the comparison is what can be left out.
  const own = lacksStatistics ? await shared() : null
  const isDropNext = own !== null && properties !== null && !inputs.reversible
  const [before] = await allOf([
    rightsBefore(step, target),
    ...(own ? [analyzeWith(own, { open, major: server.major }, inputs.jobs)] : []),
    ...(isDropNext ? [writeEarly(session, server)] : []),
  ])
  if (before) await warnOfLostRights(step, before, shared)
}

/** Gives a staging database the properties of the database that it will replace. */
async function copyProperties({ properties, session }: Target, { name }: TemporaryDatabase): Promise<void> {
  // The comment changes with the swap; until then it marks a staging database.
  if (properties) await session.execute(...propertyStatements(name, { ...properties, comment: null }))
}
