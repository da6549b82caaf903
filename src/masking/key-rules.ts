import { type Columns, type DraftColumn, type DraftTable, type Findings, fullName, maskOf } from './draft.ts'
import { maskColumn } from './mask-column.ts'
import { columnText } from './names.ts'
import type { UniqueKey } from './tables.ts'

/** Reports masks that the type of the column cannot have, and rows that the restored database would refuse. */
export function checkMasks(tables: readonly DraftTable[], columns: Columns, findings: Findings): void {
  for (const draft of tables) {
    for (const column of draft.columns) {
      const rule = maskOf(column)
      if (!rule) continue
      for (const problem of problemsOf(column, draft, columns))
        findings.refuse(`${fullName(column)} ${problem}`, rule.line)
    }
  }
}

function* problemsOf(column: DraftColumn, { table }: DraftTable, columns: Columns): Generator<string> {
  const rule = maskOf(column)!
  const { name, notNull } = column.column
  if (table.partitionKey.includes(name))
    yield 'decides to which partition a row belongs, so it cannot be masked; keep it'
  if (rule.mask === 'null' && notNull) yield 'is NOT NULL, so its mask cannot be null'
  const mask = maskColumn(rule, column.column.type, name, column.maskType)
  if ('refusal' in mask) {
    yield `cannot have the mask ${rule.mask}: ${mask.refusal}`
    return
  }
  if (mask.uniqueness === 'unique' || mask.uniqueness === 'unknown') return
  const broken = new Map(
    table.parts
      .flatMap(({ uniqueKeys }) => uniqueKeys)
      .flatMap((key) => {
        const use = useOf(name, key, (generated) => columns.find(table, generated)?.column.computedFrom ?? [])
        const harmless = use === null || (rule.mask === 'null' && use === 'value' && key.nullsDistinct)
        return harmless ? [] : [[key.name, key]]
      }),
  )
  for (const key of broken.values()) {
    const what = mask.uniqueness === 'constant' ? 'makes all values equal' : 'can make different values equal'
    yield `is part of the ${key.kind} ${columnText(key.name)}, and ${rule.mask} ${what}; use email, token or uuid with enough room, keep it, or write {sql: …} that keeps values apart`
  }
}

/** Returns how a key uses a column: its value as it is, an expression or a condition with it, or not at all. */
function useOf(
  name: string,
  { columns, computedFrom }: UniqueKey,
  sourcesOf: (column: string) => readonly string[],
): 'value' | 'expression' | null {
  const uses = (column: string) => column === name || sourcesOf(column).includes(name)
  if (computedFrom.some(uses) || columns.some((column) => column !== name && uses(column)))
    return 'expression'
  return columns.includes(name) ? 'value' : null
}
