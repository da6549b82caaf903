import { Document, type Node, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import { type DraftColumn, type DraftTable, fullName } from './draft.ts'
import { guessMask, isHarmless, looksDisposable } from './guess.ts'
import { columnText, tableText } from './names.ts'
import type { Edge } from './references.ts'

/**
 * Returns the rules that a mask file lacks, in its own form, or null if it is complete. Only what identifies a row or
 * dates it is proposed under `keep`. Every other column gets an empty rule, which is an error until the user fills it in,
 * with a guess as a comment. For an empty mask file, this is the first version of the whole file.
 */
export function missingRules(drafts: readonly DraftTable[], edges: readonly Edge[]): string | null {
  const missing = drafts.filter(isIncomplete)
  if (missing.length === 0) return null
  const targets = new Map(edges.map(({ from, to }) => [from, to]))
  const tables = new YAMLMap()
  for (const draft of missing) tables.add({ key: keyOf(draft), value: rulesOf(draft, targets) })
  const document = new Document()
  document.contents = new YAMLMap()
  document.set('tables', tables)
  return document.toString({ nullStr: '', lineWidth: 0, flowCollectionPadding: false }).trimEnd()
}

/** A table without columns has to be named too. */
function isIncomplete({ rule, columns }: DraftTable): boolean {
  return rule === null || columns.some(({ treatment }) => treatment === null)
}

function keyOf({ table, rule }: DraftTable): Scalar {
  const comments = [
    rule ? `add to line ${rule.line}` : '',
    table.extension ? `configuration of the extension ${table.extension}` : '',
    !rule && looksDisposable(table.name) ? 'looks like: none' : '',
  ]
  return commented(tableText(table), comments.filter(Boolean).join('; '), 'commentBefore')
}

function rulesOf({ table, columns }: DraftTable, targets: ReadonlyMap<DraftColumn, DraftColumn>): Node {
  const missing = columns.filter(({ treatment }) => treatment === null)
  if (missing.length === 0) return new Scalar('keep')
  const primary = new Set(
    table.parts[0]!.uniqueKeys.flatMap((key) => (key.kind === 'primary key' ? key.columns : [])),
  )
  const unique = new Set(
    table.parts.flatMap(({ uniqueKeys }) =>
      uniqueKeys.flatMap(({ columns, computedFrom }) => [...columns, ...computedFrom]),
    ),
  )
  const isKey = (found: DraftColumn) => primary.has(found.column.name) || targets.has(found)
  const [kept, open] = divide(missing, (found) => isHarmless(found.column, isKey(found)))
  const rules = new YAMLMap()
  if (kept.length > 0) {
    const list = new YAMLSeq()
    list.flow = true
    for (const { column } of kept) list.add(columnText(column.name))
    rules.set('keep', list)
  }
  if (open.length > 0) {
    const masks = new YAMLMap()
    for (const found of open) {
      const { name } = found.column
      const hint = hintFor(found, targets.get(found), unique.has(name))
      masks.set(columnText(name), commented(null, hint, 'comment'))
    }
    rules.set('columns', masks)
  }
  return rules
}

function divide<Item>(items: readonly Item[], condition: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(condition), items.filter((item) => !condition(item))]
}

function hintFor({ column }: DraftColumn, target: DraftColumn | undefined, isUnique: boolean): string {
  if (target?.treatment === 'keep') return `refers to ${fullName(target)}, which is kept`
  if (target) return `refers to ${fullName(target)}; remove this line if that is masked`
  const guess = guessMask(column, isUnique)
  return guess === null ? column.declared : `looks like: ${guess}`
}

function commented(value: string | null, comment: string, place: 'comment' | 'commentBefore'): Scalar {
  const scalar = new Scalar(value)
  if (comment) scalar[place] = ` ${comment}`
  return scalar
}
