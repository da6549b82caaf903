import { relationKey } from '../../relation.ts'
import type { MaskPlan } from '../plan.ts'
import type { Subset } from './result.ts'

/** Returns the plan for reading: which rows of a table stay is known, also of tables that have no rule for rows. */
export function filteredPlan(plan: MaskPlan, { filtered }: Subset): MaskPlan {
  const names = new Set(filtered.map(relationKey))
  return {
    ...plan,
    tables: plan.tables.map((table) =>
      names.has(relationKey(table)) ? { ...table, data: 'masked', rows: 'all' } : table,
    ),
  }
}

/** Returns the condition of the rows that stay, by the OIDs of the relations that hold them. */
export function conditionsOf({ filtered }: Subset): Map<string, string> {
  return new Map(filtered.flatMap(({ parts }) => parts.map(({ oid, condition }) => [oid, condition])))
}
