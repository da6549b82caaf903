import { DatabaseError, type Session } from '../../database/connection/session.ts'
import { tableText } from '../names.ts'
import type { Link, SubsetTable } from './graph.ts'
import { tableSource } from './key-tables.ts'

/** A condition of the mask file, and where it is. */
type Located = { table: SubsetTable; what: string; line: number; condition: string }

/** Returns the conditions that are evaluated for rows of a table. */
function conditionsOf(table: SubsetTable, links: readonly Link[]): Located[] {
  const { rows } = table
  const own = typeof rows === 'object' ? [{ table, what: '"rows"', ...rows }] : []
  const when = links
    .filter(({ from }) => from === table)
    .flatMap((link) => link.when.map((condition) => ({ table, what: 'the condition', ...condition })))
  return [...own, ...new Map(when.map((each) => [each.line, each])).values()]
}

/**
 * Has the server check the conditions before a row is read.
 *
 * @throws an Error with everything that it refuses
 */
export async function checkConditions(
  session: Session,
  file: string,
  tables: readonly SubsetTable[],
  links: readonly Link[],
): Promise<void> {
  const refusals: string[] = []
  for (const located of tables.flatMap((table) => conditionsOf(table, links))) {
    const { table, condition, line, what } = located
    try {
      // The server analyses the query, and reads no row.
      await session.query(
        `SELECT 1 AS n FROM ${tableSource(table, table.parts[0]!)} WHERE (${condition}\n) LIMIT 0`,
      )
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error
      refusals.push(`  line ${line}: ${what} of ${tableText(table)}: ${error.message}`)
    }
  }
  if (refusals.length > 0)
    throw new Error(
      `mask ${file} has conditions that the server refuses, so nothing was dumped:\n${refusals.join('\n')}`,
    )
}

/** Classes of errors whose messages contain no values of rows (PostgreSQL's appendix A). */
const WITHOUT_VALUES = /^(0A|21|25|40|42|53|54|55|57|58)/

/** What the other errors mean that a condition can have. */
const MEANINGS: Readonly<Record<string, string>> = {
  '22P02': 'a text is not a value of the type that it is cast to',
  '22003': 'a number is out of range',
  '22007': 'a text is not a date or time',
  '22008': 'a date or time is out of range',
  '22012': 'division by zero',
}

/** Returns why a statement with conditions of the mask file failed. The message of the server may contain values of a row. */
export function explainFailure(
  error: unknown,
  file: string,
  tables: readonly SubsetTable[],
  links: readonly Link[],
): unknown {
  if (!(error instanceof DatabaseError)) return error
  const { sqlstate, message } = error
  const reason = WITHOUT_VALUES.test(sqlstate)
    ? message
    : `${MEANINGS[sqlstate] ?? 'an error of PostgreSQL, whose text could contain values of the row'} (SQLSTATE ${sqlstate})`
  const suspects = tables
    .flatMap((table) => conditionsOf(table, links))
    .map(({ table, what, line }) => `${what} of ${tableText(table)} in line ${line}`)
  const where =
    suspects.length > 0 ? suspects.join(' or ') : `the keys of ${tables.map(tableText).join(', ')}`
  return new Error(
    `mask ${file}: the rows that stay cannot be computed, and nothing was dumped; ${where} failed: ${reason}`,
  )
}
