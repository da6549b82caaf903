import { DatabaseError, identifier, type Session } from '../database/connection/session.ts'
import { exportSnapshot, type Snapshot } from '../database/snapshot.ts'
import { TransientError } from '../errors.ts'
import { withMaskKey } from '../masking/mask-key.ts'
import { tableText } from '../masking/names.ts'
import type { MaskPlan } from '../masking/plan.ts'
import type { Part } from '../masking/tables.ts'
import { relationKey } from '../relation.ts'
import type { Step } from '../step/step.ts'
import { partsOf } from './masked-reads.ts'
import type { Masking } from './masking.ts'
import { type Pages, readLocked } from './page-reads.ts'
import { checkPlan, logPlan, type PlannedDump, planDump } from './plan-masks.ts'
import type { SourceDatabase } from './source-database.ts'

/** Everything that was read and decided in the snapshot of a masked dump, with the tables locked. */
export type MaskedSnapshot = Snapshot &
  PlannedDump & {
    /** How large the tables whose rows are dumped are, by their OIDs. */
    locked: ReadonlyMap<string, Pages>
    /** Rows of the tables of which a condition leaves some out. */
    rowsBefore: ReadonlyMap<string, number>
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
      const rowsBefore = await countBefore(session, planned.plan)
      scope.move()
      return { ...snapshot, ...planned, locked, rowsBefore }
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

async function countBefore(session: Session, plan: MaskPlan): Promise<Map<string, number>> {
  const filtered = partsOf(plan, 'masked').filter(({ table }) => typeof table.rows === 'object')
  const counts = new Map<string, number>()
  for (const { part } of filtered) {
    const table = `${identifier(part.schema)}.${identifier(part.name)}`
    const [row] = await session.query<{ rows: number }>(
      `SELECT count(*) AS rows FROM ONLY ${table} ${part.condition ?? ''}`,
    )
    counts.set(relationKey(part), row!.rows)
  }
  return counts
}
