import { identifier } from '../database/connection/literal.ts'
import { asciiSql } from './ascii-sql.ts'
import { maskColumn, maskUnless } from './mask-column.ts'
import { tableText } from './names.ts'
import type { PlannedColumn, PlannedTable } from './plan.ts'
import type { Column, Part } from './tables.ts'

/** What a session reads of a relation instead of its rows. */
export type MaskedSelect = {
  /** The columns of the data, without generated ones, by their names. */
  columns: readonly string[]
  /** Returns the query in ASCII, for all rows or for those that also meet a condition, such as a range of pages. */
  select: (condition?: string) => string
}

/**
 * Returns what to read of a part of a planned table.
 *
 * @throws an Error if a column is not in the plan or cannot have its mask, both of which planning has refused before
 */
export function maskedSelect(table: PlannedTable, part: Part): MaskedSelect {
  const planned = new Map(table.columns.map((column) => [column.name, column]))
  const columns = part.columns.filter(({ computedFrom }) => computedFrom === null)
  const values = columns.map((column) => expressionOf(table, part, column, planned.get(column.name)))
  const from = `FROM ONLY ${identifier(part.schema)}.${identifier(part.name)}`
  const conditions = conditionsOf(table, part)
  return {
    columns: columns.map(({ name }) => name),
    select: (condition) => {
      const all = [...conditions, ...(condition ? [condition] : [])].map((each) => `(${each}\n)`)
      const where = all.length > 0 ? ` WHERE ${all.join(' AND ')}` : ''
      return asciiSql(`SELECT ${values.join(', ')} ${from}${where}`)
    },
  }
}

function expressionOf(
  table: PlannedTable,
  part: Part,
  column: Column,
  planned: PlannedColumn | undefined,
): string {
  const reference = [part.schema, part.name, column.name].map(identifier).join('.')
  if (planned?.treatment === 'keep') return reference
  if (!planned || planned.treatment === 'computed')
    throw new Error(`${tableText(part)} has the column "${column.name}" that its plan does not have`)
  const mask = maskColumn(planned.treatment, column.type, reference, planned.maskType)
  if ('refusal' in mask) throw new Error(`${tableText(part)}.${column.name}: ${mask.refusal}`)
  return table.unless ? maskUnless(table.unless.condition, reference, mask.expression) : mask.expression
}

/** Returns what every row meets: the condition of the mask file, and that of an extension for its configuration. */
function conditionsOf({ rows }: PlannedTable, part: Part): string[] {
  if (rows === 'none' || rows === 'referenced')
    throw new Error(`rows: ${rows} of ${tableText(part)} is not a condition of single rows`)
  const own = rows === 'all' ? [] : [rows.condition]
  return part.condition === null ? own : [...own, part.condition.replace(/^\s*where\b/i, '')]
}
