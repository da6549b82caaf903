import { DatabaseError, type Session } from '../database/connection/session.ts'
import { maskedSelect } from './masked-select.ts'
import { tableText } from './names.ts'
import type { MaskPlan, PlannedTable } from './plan.ts'
import type { Part } from './tables.ts'

/**
 * Has the server check all SQL of a plan before a row is read: constants, expressions and conditions of the mask file, and
 * the right to read the columns. The session is in the transaction whose snapshot the dump uses, which stays usable.
 *
 * @throws an Error with everything that the server refuses
 */
export async function tryPlan(session: Session, { file, tables }: MaskPlan): Promise<void> {
  const refusals = new Set<string>()
  await session.execute('SAVEPOINT pgclone_try')
  for (const table of tables) {
    // Which rows are referenced is not a condition of single rows.
    if (table.data !== 'masked' || table.rows === 'referenced') continue
    for (const part of table.parts) {
      const refusal = await tryPart(session, table, part)
      if (refusal !== null) refusals.add(`  ${tableText(part)}: ${refusal}`)
    }
  }
  await session.execute('RELEASE SAVEPOINT pgclone_try')
  if (refusals.size > 0)
    throw new Error(
      `mask ${file} has SQL that the server refuses, so nothing was dumped:\n${[...refusals].join('\n')}`,
    )
}

/** Returns why the server refuses to read a part. It analyses the query and reads no row, because the condition is false. */
async function tryPart(session: Session, table: PlannedTable, part: Part): Promise<string | null> {
  try {
    await session.query(maskedSelect(table, part).select('false'))
    return null
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    await session.execute('ROLLBACK TO SAVEPOINT pgclone_try')
    return error.message
  }
}
