import { finishDump } from '../database/pg-dump.ts'
import { RECOVERY_CONFLICT } from '../database/standby.ts'
import { TransientError } from '../errors.ts'
import { tableText } from '../masking/names.ts'
import type { Child } from '../process/child.ts'
import { type Relation, relationKey } from '../relation.ts'
import { formatNames } from '../report/format.ts'
import { isTransientState } from '../step/retryable.ts'

/** Queries that went to the server together: the tables that they read, and the first line after them. */
export type Message = { endsBefore: number; tables: readonly Relation[] }

/** SQLSTATE of a serialization failure, which a read-only session has only where recovery conflicts with it. */
const CONFLICT = '40001'

const MAX_NAMES = 5

/**
 * Waits for the end of a `psql` that reads masked rows. The message of the server may quote a value, so the error has its
 * SQLSTATE and the table.
 *
 * @throws an Error that explains why it failed
 */
export async function finishMaskedRead(child: Child, messages: readonly Message[]): Promise<void> {
  try {
    await finishDump(child)
  } catch (error) {
    const [, line, sqlstate] =
      /^psql:<stdin>:(\d+): (?:ERROR|FATAL): {2}(\w{5})$/m.exec(child.tail.join('\n')) ?? []
    if (!sqlstate) throw error
    if (sqlstate === CONFLICT) throw new TransientError(RECOVERY_CONFLICT.sentence, { cause: error })
    const message = messages.find(({ endsBefore }) => Number(line) < endsBefore)
    const tables = new Map(message?.tables.map((table) => [relationKey(table), tableText(table)]))
    const text = `mask could not read ${formatNames([...tables.values()], MAX_NAMES)}: the server refused a row with SQLSTATE ${sqlstate}. Its message is not shown, because it may quote a value; check the sql, rows and unless of the mask file with that table`
    throw isTransientState(sqlstate) ? new TransientError(text, { cause: error }) : new Error(text)
  }
}
