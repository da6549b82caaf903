import type { Session } from '../database/connection/session.ts'
import { resolveFilters, type Selection } from '../database/selection.ts'
import { exportSnapshot } from '../database/snapshot.ts'
import { messageOf } from '../errors.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { checkMaskKey, withMaskKey } from '../masking/mask-key.ts'
import { type MaskPlan, planMasks } from '../masking/plan.ts'
import { planLines } from '../masking/plan-text.ts'
import { readTables } from '../masking/read-tables.ts'
import type { Subset } from '../masking/subset/result.ts'
import { tryPlan } from '../masking/try-plan.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'
import type { Masking } from './masking.ts'
import { openSubset } from './open-subset.ts'
import type { SourceDatabase } from './source-database.ts'

/** The plan of a masked dump, with what the filters of the step select. */
export type PlannedDump = { plan: MaskPlan; selection: Selection }

/**
 * Plans what a masked dump contains, as the session sees the database.
 *
 * @throws an Error with everything that is not decided or decided wrongly
 */
export async function planDump(
  session: Session,
  inputs: Inputs,
  source: SourceDatabase,
  masking: Masking,
): Promise<PlannedDump> {
  const selection = await resolveFilters(session, inputs)
  const extensions = source.additions.filter(({ kind }) => kind === 'EXTENSION').map(({ oid }) => oid)
  const catalog = await readTables(session, { selection, extensions, major: source.server.major })
  const { pgDumpArgs } = inputs
  const { keepsLargeObjects, file } = masking
  const plan = await inFull(() => planMasks(file, catalog, { pgDumpArgs, keepsLargeObjects }))
  return { plan, selection }
}

/** Checks the key and all SQL of a plan on the server. The session is in a transaction. */
export async function checkPlan(
  session: Session,
  plan: MaskPlan,
  { key }: Masking,
  label: string,
): Promise<void> {
  await checkMaskKey(session, key, label)
  await inFull(() => tryPlan(session, plan))
}

/** Writes a plan into the log, with its warnings. */
export async function logPlan(plan: MaskPlan): Promise<void> {
  await log.group(`Masks of ${plan.file}`, async () => {
    for (const line of planLines(plan)) log.info(line)
  })
  for (const warning of plan.warnings) log.warning(`mask ${plan.file}: ${warning}`)
}

/** Plans a masked dump without moving a row, as a check for pull requests. */
export async function rehearseMasks(
  step: Step,
  source: SourceDatabase,
  masking: Masking,
): Promise<{ plan: MaskPlan; subset: Subset | null }> {
  const connection = withMaskKey(source.connection, masking.key)
  await using session = await step.session(connection, { direct: true })
  await using snapshot = await exportSnapshot(session, [])
  const planned = await planDump(session, step.inputs, source, masking)
  const { plan } = planned
  await checkPlan(session, plan, masking, connection.label)
  await logPlan(plan)
  const open = await openSubset(step, connection, masking, { ...planned, snapshot: snapshot.id })
  await open?.session.close()
  return { plan, subset: open?.subset ?? null }
}

/** An annotation with more characters is hard to read, and it has no line breaks. */
const MAX_ANNOTATION = 600

/**
 * Does work whose error may have many lines, such as the rules to add to a mask file. They go into the log as they are, and
 * the error has the beginning of them.
 */
export async function inFull<Result>(work: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const text = messageOf(error)
    const lines = text.split('\n')
    if (lines.length === 1) throw error
    await log.group(lines[0]!, async () => {
      for (const line of lines) log.info(line)
    })
    if (text.length <= MAX_ANNOTATION) throw error
    const start = text.slice(0, MAX_ANNOTATION).replace(/\s+\S*$/, '')
    throw new Error(`${start} … (the log has all of it, with its line breaks)`, { cause: error })
  }
}
