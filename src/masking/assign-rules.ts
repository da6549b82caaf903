import { didYouMean } from '../inputs/nearest.ts'
import { type Relation, relationKey } from '../relation.ts'
import type { DraftColumn, DraftTable, Findings, Treatment } from './draft.ts'
import { columnText, isWildcard, matchesPattern, tableText } from './names.ts'
import type { MaskFile, TableRule } from './rules.ts'
import type { Catalog, Column, Known, Table } from './tables.ts'

/** Gives every table and column the treatment that the mask file names, and reports rules that fit nothing. */
export function assignRules(file: MaskFile, { tables, known }: Catalog, findings: Findings): DraftTable[] {
  const rules = new Rules(file)
  const byName = new Map(known.map((relation) => [relationKey(relation), relation]))
  for (const rule of file.tables) {
    const name = exactName(rule)
    const found = name
      ? [byName.get(relationKey(name)) ?? []].flat()
      : known.filter((relation) => isPattern(rule) && matchesPattern(rule.pattern, relation))
    if (found.length === 0) reportAbsent(rule, known, findings)
    else reportMisplaced(rule, found, rules, findings)
  }
  return tables.map((table) => {
    const rule = rules.of(table)
    return { table, rule, columns: draftColumns(table, rule, findings) }
  })
}

type Pattern = Extract<TableRule, { data: 'none' }>

function isPattern(rule: TableRule): rule is Pattern {
  return rule.data === 'none' && isWildcard(rule.pattern)
}

/** Returns the table that a rule names, or null for a pattern. */
function exactName(rule: TableRule): Relation | null {
  if (rule.data !== 'none') return rule.table
  const { schema, name } = rule.pattern
  return isPattern(rule) ? null : { schema: schema[0]!, name: name[0]! }
}

function textOf(rule: TableRule): string {
  return rule.data === 'none' ? rule.pattern.text : tableText(rule.table)
}

/** The rules of a mask file. One that names a table comes before a pattern. */
class Rules {
  readonly #exact = new Map<string, TableRule>()
  readonly #patterns: readonly Pattern[]

  constructor({ tables }: MaskFile) {
    for (const rule of tables) {
      const name = exactName(rule)
      if (name) this.#exact.set(relationKey(name), rule)
    }
    this.#patterns = tables.filter(isPattern)
  }

  of(table: Relation): TableRule | null {
    const matching = () => this.#patterns.find(({ pattern }) => matchesPattern(pattern, table))
    return this.#exact.get(relationKey(table)) ?? matching() ?? null
  }
}

function reportAbsent(rule: TableRule, known: readonly Known[], findings: Findings): void {
  const text = textOf(rule)
  if (isPattern(rule)) findings.warn(`${text} matches no table`, rule.line)
  else findings.warn(`${text} does not exist${didYouMean(text, known.map(tableText))}`, rule.line)
}

/** A rule is for tables that have rows and are not partitions, which follow the root of their tree. */
function reportMisplaced(rule: TableRule, found: readonly Known[], rules: Rules, findings: Findings): void {
  const text = textOf(rule)
  const covers = (root: Relation) => isPattern(rule) && matchesPattern(rule.pattern, root)
  const agrees = (root: Relation) => rule.data === 'none' && rules.of(root)?.data === 'none'
  const partition = found.find(({ root }) => root !== null && !covers(root) && !agrees(root))
  if (partition) {
    const names = `${tableText(partition)} is a partition of ${tableText(partition.root!)} and follows its rule`
    findings.refuse(
      `${text} would be a rule of its own for a partition: ${names}. Remove it, or leave the partition out with exclude-table-data`,
      rule.line,
    )
  }
  const [first] = found
  if (found.every(({ kind }) => kind !== 'table'))
    findings.warn(`${text} is a ${first!.kind}, and a dump contains no rows of it`, rule.line)
}

/** Returns the columns of a table. One that only a partition refuses to be NULL counts as NOT NULL. */
function draftColumns(table: Table, rule: TableRule | null, findings: Findings): DraftColumn[] {
  if (rule?.data === 'none') return []
  const names = table.parts[0]!.columns
  if (rule?.data === 'masked') reportUnknown(rule, names, findings)
  const required = new Set(
    table.parts.flatMap(({ columns }) => columns.flatMap(({ name, notNull }) => (notNull ? name : []))),
  )
  return names.map((column) => ({
    table,
    column: { ...column, notNull: required.has(column.name) },
    treatment: treat(column, rule, findings),
    because: null,
    maskType: column.type,
  }))
}

function treat(
  column: Column,
  rule: Exclude<TableRule, Pattern> | null,
  findings: Findings,
): Treatment | null {
  const mask = rule?.data === 'masked' ? rule.columns.get(column.name) : undefined
  if (column.computedFrom) {
    if (mask)
      findings.warn(
        `${textOf(rule!)}.${columnText(column.name)} is a generated column, which is computed again from what is restored; its rule has no effect`,
        mask.line,
      )
    return 'computed'
  }
  if (rule?.data === 'keep') return 'keep'
  if (rule?.keep.some(({ name }) => name === column.name)) return 'keep'
  return mask ?? null
}

function reportUnknown(
  rule: Extract<TableRule, { data: 'masked' }>,
  columns: readonly Column[],
  findings: Findings,
): void {
  const names = columns.map(({ name }) => name)
  const named = [...rule.keep, ...[...rule.columns].map(([name, { line }]) => ({ name, line }))]
  for (const { name, line } of named) {
    if (names.includes(name)) continue
    findings.warn(`${textOf(rule)} has no column ${columnText(name)}${didYouMean(name, names)}`, line)
  }
}
