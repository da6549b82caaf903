import { relationKey } from '../relation.ts'
import { type DraftTable, type Findings, maskOf } from './draft.ts'
import { columnText, tableText } from './names.ts'
import type { ForeignKey } from './tables.ts'

/**
 * Reports foreign keys whose rows would refer to rows that the mask file leaves out, so that the dump could not be restored.
 * A key that becomes NULL refers to nothing. Which rows a condition leaves out, only a restore shows.
 */
export function checkMissingTargets(
  drafts: readonly DraftTable[],
  foreignKeys: readonly ForeignKey[],
  findings: Findings,
): void {
  const byName = new Map(drafts.map((draft) => [relationKey(draft.table), draft]))
  for (const key of foreignKeys) {
    const [from, to] = [byName.get(relationKey(key.table)), byName.get(relationKey(key.references))]
    if (!from || !to || from === to || !key.validated || isEmpty(from) || becomesNull(from, key)) continue
    const text = `${tableText(from.table)} refers to ${tableText(to.table)} (foreign key ${columnText(key.name)})`
    if (isEmpty(to)) {
      findings.refuse(
        `${text}, whose rows are left out, so the dump could not be restored; leave the rows of ${tableText(from.table)} out too, or mask ${key.columns.map(columnText).join(', ')} with null`,
        to.rule!.line,
      )
    } else if (to.rule?.data === 'masked' && typeof to.rule.rows === 'object') {
      findings.warn(
        `${text}, of which "rows" leaves some out; the dump can be restored only if no row refers to those`,
        to.rule.rows.line,
      )
    }
  }
}

function isEmpty({ rule }: DraftTable): boolean {
  return rule?.data === 'none' || (rule?.data === 'masked' && rule.rows === 'none')
}

/** A key with one NULL refers to nothing. With MATCH FULL all of it has to be NULL. */
function becomesNull({ columns }: DraftTable, key: ForeignKey): boolean {
  const isNull = (name: string) =>
    columns.some((found) => found.column.name === name && maskOf(found)?.mask === 'null')
  return key.full ? key.columns.every(isNull) : key.columns.some(isNull)
}
