import type { ColumnType } from './column-type.ts'
import { type DraftColumn, type Findings, fullName, maskOf, maskText } from './draft.ts'
import { maskColumn } from './mask-column.ts'
import type { Edge } from './references.ts'

/**
 * Decides for which type the mask of columns is made that refer to each other. A mask is cut to the length of its type, so
 * the narrowest type of all of them gives equal values equal masks.
 */
export function agreeOnTypes(edges: readonly Edge[], findings: Findings): void {
  for (const group of connectedGroups(edges)) {
    const types = group.map(({ column }) => column.type)
    if (new Set(types.map(family)).size === 1) {
      const narrowest = types.toSorted((a, b) => width(a) - width(b))[0]!
      for (const column of group) column.maskType = narrowest
    }
    reportDifferences(group, findings)
  }
}

function reportDifferences(group: readonly DraftColumn[], findings: Findings): void {
  const first = group[0]!
  const other = group.find((column) => formOf(column) !== formOf(first))
  if (other) {
    const types = `${first.column.type.type} and ${other.column.type.type}`
    findings.refuse(
      `${fullName(first)} and ${fullName(other)} must have equal masks, which their types ${types} do not allow; keep them, or mask both with sql`,
      maskOf(first)!.line,
    )
  }
  const loose = group.find(({ column }) => !column.deterministic)
  if (loose) {
    findings.refuse(
      `${fullName(loose)} has a collation that takes different values for equal, so references to it could have other masks; keep it, or mask it with sql`,
      maskOf(loose)!.line,
    )
  }
}

/** Returns the columns that are connected by references and that have a mask made from their value. */
function connectedGroups(edges: readonly Edge[]): DraftColumn[][] {
  const neighbours = new Map<DraftColumn, DraftColumn[]>()
  for (const { from, to } of edges) {
    const mask = madeMask(from)
    if (mask === null || mask !== madeMask(to)) continue
    neighbours.set(from, [...(neighbours.get(from) ?? []), to])
    neighbours.set(to, [...(neighbours.get(to) ?? []), from])
  }
  const seen = new Set<DraftColumn>()
  return [...neighbours.keys()].flatMap((start) => {
    if (seen.has(start)) return []
    const group = new Set([start])
    for (const column of group) for (const next of neighbours.get(column)!) group.add(next)
    for (const column of group) seen.add(column)
    return [[...group]]
  })
}

/** Returns a mask that is made from the value of the column, as text. */
function madeMask(column: DraftColumn): string | null {
  const rule = maskOf(column)
  return rule === null || rule.mask === 'sql' || rule.mask === 'null' ? null : maskText(rule)
}

/** Returns what makes two masks equal for equal values. A mask that the type refuses is reported elsewhere. */
function formOf(column: DraftColumn): string | null {
  const mask = maskColumn(maskOf(column)!, column.column.type, column.column.name, column.maskType)
  return 'refusal' in mask ? null : mask.form
}

const FAMILIES: Readonly<Record<string, string>> = {
  varchar: 'text',
  bpchar: 'text',
  text: 'text',
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
}

/** Types of one family differ only in how much they can hold. */
function family({ type, base, kind, isArray }: ColumnType): string {
  return (kind === 'b' && !isArray && FAMILIES[base]) || type
}

const WIDTHS: Readonly<Record<string, number>> = { int2: 2, int4: 4, int8: 8 }

/** Returns how much a type can hold, to be compared with others of its family. */
function width({ type, base }: ColumnType): number {
  const length = /\((\d+)\)$/.exec(type)?.[1]
  return WIDTHS[base] ?? (length === undefined ? Number.POSITIVE_INFINITY : Number(length))
}
