import { DatabaseError } from '../database/connection/session.ts'
import { exportSnapshot, type Snapshot } from '../database/snapshot.ts'
import { TransientError } from '../errors.ts'
import { withMaskKey } from '../masking/mask-key.ts'
import { tableText } from '../masking/names.ts'
import type { MaskPlan } from '../masking/plan.ts'
import type { Part } from '../masking/tables.ts'
import type { Step } from '../step/step.ts'
import { partsOf } from './masked-reads.ts'
import type { Masking } from './masking.ts'
import { type OpenSubset, openSubset } from './open-subset.ts'
import { type Pages, readLocked } from './page-reads.ts'
import { checkPlan, logPlan, type PlannedDump, planDump } from './plan-masks.ts'
import type { SourceDatabase } from './source-database.ts'

/** Everything that was read and decided in the snapshot of a masked dump, with the tables locked. */
export type MaskedSnapshot = Snapshot &
  PlannedDump & {
    /** The rows that stay, if some tables have fewer of them than the source, and the session that can read them. */
    subset: OpenSubset | null
    /** How large the tables whose rows are dumped are, by their OIDs. */
    locked: ReadonlyMap<string, Pages>
  }

/** How often tables that were created meanwhile are locked again. */
const LOCK_ATTEMPTS = 3

/**
 * Plans, locks the tables, and plans again in the snapshot: everything that was committed before it is in the plan, and
 * nothing can change the tables after it.
 *
 * @throws an Error when the mask file does not decide everything, or the server refuses a mask
 */
export async function openMaskedSnapshot(
  step: Step,
  source: SourceDatabase,
  masking: Masking,
): Promise<MaskedSnapshot> {
  const connection = withMaskKey(source.connection, masking.key)
  for (let attempt = 1; ; attempt += 1) {
    await using scope = new AsyncDisposableStack()
    const session = scope.use(await step.session(connection, { direct: true }))
    const expected = await planDump(session, step.inputs, source, masking)
    const { lockWaitTimeout } = step.inputs
    const snapshot = await exportSnapshot(session, dumpedParts(expected.plan), lockWaitTimeout).catch(
      explainLock,
    )
    const planned = await planDump(session, step.inputs, source, masking)
    const locked = await readLocked(
      session,
      dumpedParts(planned.plan).map(({ oid }) => oid),
    )
    const open = dumpedParts(planned.plan).find(({ oid }) => !locked.has(oid))
    if (!open) {
      await checkPlan(session, planned.plan, masking, connection.label)
      await logPlan(planned.plan)
      const subset = await openSubset(step, connection, masking, { ...planned, snapshot: snapshot.id })
      if (subset) scope.use(subset.session)
      const open = scope.move()
      const dispose = () => open.disposeAsync()
      return { ...snapshot, ...planned, subset, locked, [Symbol.asyncDispose]: dispose }
    }
    if (attempt === LOCK_ATTEMPTS)
      throw new TransientError(
        `mask: ${tableText(open)} was created or replaced while the dump was being planned; run the dump at another time`,
      )
  }
}

function dumpedParts(plan: MaskPlan): Part[] {
  return [...partsOf(plan, 'masked'), ...partsOf(plan, 'keep')].map(({ part }) => part)
}

/** SQLSTATE of a lock that was not granted in time. */
const LOCK_NOT_AVAILABLE = '55P03'

function explainLock(error: unknown): never {
  if (error instanceof DatabaseError && error.sqlstate === LOCK_NOT_AVAILABLE)
    throw new Error(
      'The dump waited too long for a table that another session has locked; nothing was dumped. End that session, or raise lock-wait-timeout',
      { cause: error },
    )
  throw error
}
