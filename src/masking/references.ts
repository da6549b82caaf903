import type { Relation } from '../relation.ts'
import { type Columns, type DraftColumn, type Findings, fullName, maskOf, maskText } from './draft.ts'
import { columnText, tableText } from './names.ts'
import type { Condition, Reference } from './rules.ts'
import type { ForeignKey } from './tables.ts'

/** One column that refers to another, by a foreign key of the database or of the mask file. */
export type Edge = {
  from: DraftColumn
  to: DraftColumn
  /** For messages: `foreign key orders_user_fkey`. */
  key: string
  /** The line of the mask file that declares it. */
  line: number | undefined
  /** Whether this column may be NULL while others of the key are not. */
  nullable: boolean
}

type End = { table: Relation; columns: readonly string[] }

/** Returns the references between columns that are dumped. */
export function findEdges(
  foreignKeys: readonly ForeignKey[],
  references: readonly Reference[],
  columns: Columns,
  findings: Findings,
): Edge[] {
  const declared = foreignKeys.flatMap(({ name, table, columns: from, references: target, keys, full }) =>
    connect(columns, { table, columns: from }, { table: target, columns: keys }).map((ends) => ({
      ...ends,
      key: `foreign key ${columnText(name)}`,
      line: undefined,
      nullable: !full || from.length === 1,
    })),
  )
  const virtual = references.flatMap(({ line, from, to }) => {
    const ends = connect(columns, from, to)
    if (ends.length < from.columns.length) {
      const tables = `${tableText(from.table)} to ${tableText(to.table)}`
      findings.warn(`the reference from ${tables} names columns that the dump does not contain`, line)
    }
    return ends.map((pair) => ({ ...pair, key: `the reference in line ${line}`, line, nullable: true }))
  })
  return [...declared, ...virtual]
}

function connect(columns: Columns, from: End, to: End): { from: DraftColumn; to: DraftColumn }[] {
  return from.columns.flatMap((name, index) => {
    const [source, target] = [columns.find(from.table, name), columns.find(to.table, to.columns[index]!)]
    return source && target ? [{ from: source, to: target }] : []
  })
}

/**
 * Gives the mask of a referenced column to the columns that refer to it and have no rule, from column to column. A mask in
 * SQL names columns of its own table, so it cannot be given.
 */
export function inheritMasks(edges: readonly Edge[]): void {
  const incoming = Map.groupBy(edges, ({ to }) => to)
  const masked = [...incoming.keys()].filter((column) => maskOf(column))
  for (let column = masked.pop(); column; column = masked.pop()) {
    const rule = maskOf(column)!
    if (rule.mask === 'sql') continue
    for (const { from } of incoming.get(column) ?? []) {
      if (from.treatment !== null) continue
      from.treatment = rule
      from.because = `refers to ${fullName(column)}`
      masked.push(from)
    }
  }
}

/**
 * Reports columns whose values would no longer be those that they refer to.
 *
 * @param exceptions the `unless` of the tables that have one
 */
export function checkEdges(
  edges: readonly Edge[],
  columns: Columns,
  exceptions: ReadonlyMap<Relation, Condition>,
  findings: Findings,
): void {
  for (const edge of edges) {
    const { from, to, key } = edge
    const problem = contradiction(edge, columns)
    if (problem) findings.refuse(problem, edge.line ?? maskOf(from)?.line ?? maskOf(to)?.line)
    for (const { table } of maskOf(from) && maskOf(to) ? new Set([from, to]) : []) {
      const unless = exceptions.get(table)
      if (!unless) continue
      findings.refuse(
        `${fullName(from)} refers to ${fullName(to)} (${key}) and both are masked, but "unless" of ${tableText(table)} leaves some rows unmasked, which would no longer match. Remove "unless", or keep both columns`,
        unless.line,
      )
    }
  }
}

/** Returns why the two columns would not match in the dump, or null. A column without a rule is reported elsewhere. */
function contradiction({ from, to, key, nullable }: Edge, columns: Columns): string | null {
  const [own, other] = [maskOf(from), maskOf(to)]
  const text = `${fullName(from)} refers to ${fullName(to)} (${key})`
  if (own?.mask === 'null' && nullable) return null
  if (own && other) {
    if (own.mask === 'sql' && other.mask === 'sql') return null
    if (maskText(own) === maskText(other)) return null
    return `${text}, but the mask of the former is ${maskText(own)} and that of the latter ${maskText(other)}. Remove the rule of the former`
  }
  if (other?.mask === 'sql' && from.treatment === null)
    return `${text}, whose mask is SQL; give it SQL with the same result`
  const [changed, unchanged] = isChanged(to, columns) ? [to, from] : [from, to]
  if (unchanged.treatment === null || isChanged(unchanged, columns) === isChanged(changed, columns))
    return null
  return `${text}, but ${fullName(changed)} is masked and ${fullName(unchanged)} is not. Mask both, or keep both`
}

/** Whether the values of a column differ from those of the source, directly or because it is computed from others. */
function isChanged(column: DraftColumn, columns: Columns): boolean {
  const sources = column.column.computedFrom ?? []
  return maskOf(column) !== null || sources.some((name) => maskOf(columns.find(column.table, name)!) !== null)
}
