import type { Relation } from '../relation.ts'
import { agreeOnTypes } from './agreeing-types.ts'
import { assignRules } from './assign-rules.ts'
import type { ColumnType } from './column-type.ts'
import { Columns, type DraftColumn, type DraftTable, Findings, maskOf } from './draft.ts'
import { argumentProblems } from './dump-arguments.ts'
import { checkMasks } from './key-rules.ts'
import { missingRules } from './missing-rules.ts'
import { tableText } from './names.ts'
import { checkEdges, findEdges, inheritMasks } from './references.ts'
import type { Condition, MaskFile, MaskRule, Rows } from './rules.ts'
import type { Catalog, Part } from './tables.ts'

/** What happens to one column. */
export type PlannedColumn = {
  name: string
  /** The type as it was declared, which may be a domain. */
  declared: string
  treatment: 'keep' | 'computed' | MaskRule
  /** Why it has the mask of another column, or null if it has a rule of its own. */
  because: string | null
  /** The type for which the mask is made. It is narrower than its own if columns that must have equal masks are narrower. */
  maskType: ColumnType
}

/** What happens to one table, with all its partitions. */
export type PlannedTable = Relation & {
  /** The extension whose configuration it holds, or null. */
  extension: string | null
  /** `keep`: every row and column as it is. `masked`: rows or columns are changed. `none`: no rows. */
  data: 'keep' | 'masked' | 'none'
  rows: Rows
  /** The rows that are not masked. */
  unless: Condition | null
  columns: readonly PlannedColumn[]
  /** The relations that hold the rows. */
  parts: readonly Part[]
}

/** What a masked dump contains. */
export type MaskPlan = {
  /** The name of the mask file, for messages. */
  file: string
  tables: readonly PlannedTable[]
  keepsLargeObjects: boolean
  warnings: readonly string[]
}

/** What the inputs of the step say besides the mask file. */
export type PlanOptions = { pgDumpArgs: readonly string[]; keepsLargeObjects: boolean }

/**
 * Plans a masked dump.
 *
 * @throws an Error with everything that the mask file does not decide or decides wrongly, and with the rules to add
 */
export function planMasks(file: MaskFile, catalog: Catalog, options: PlanOptions): MaskPlan {
  const { drafts, missing, findings } = draftPlan(file, catalog, options)
  if (findings.refusals.length > 0 || missing !== null) throw new Error(explain(file, findings, missing))
  if (catalog.hasLargeObjects && !options.keepsLargeObjects)
    findings.warn('large objects are left out; large-objects: keep would dump them as they are')
  return {
    file: file.file,
    tables: drafts.map(finish),
    keepsLargeObjects: options.keepsLargeObjects,
    warnings: findings.warnings,
  }
}

/**
 * Writes the first mask file of a database: every table, with what is open to be filled in. `problems` are those that no
 * rule solves, such as a materialized view over a foreign table.
 */
export function firstMaskFile(catalog: Catalog): { text: string; problems: readonly string[] } {
  const empty = { file: '', tables: [], references: [], allow: [] }
  const { missing, findings } = draftPlan(empty, catalog, { pgDumpArgs: [], keepsLargeObjects: false })
  return { text: `${missing ?? 'tables: {}'}\n`, problems: [...findings.refusals, ...findings.warnings] }
}

type Draft = { drafts: readonly DraftTable[]; missing: string | null; findings: Findings }

function draftPlan(file: MaskFile, catalog: Catalog, options: PlanOptions): Draft {
  const findings = new Findings()
  const drafts = assignRules(file, catalog, findings)
  const columns = new Columns(drafts)
  const edges = findEdges(catalog.foreignKeys, file.references, columns, findings)
  inheritMasks(edges)
  agreeOnTypes(edges, findings)
  checkEdges(edges, columns, exceptionsOf(drafts), findings)
  checkMasks(drafts, columns, findings)
  checkSurroundings(catalog, drafts, options, findings)
  return { drafts, missing: missingRules(drafts, edges), findings }
}

function exceptionsOf(drafts: readonly DraftTable[]): Map<Relation, Condition> {
  return new Map(
    drafts.flatMap(({ table, rule }) =>
      rule?.data === 'masked' && rule.unless ? [[table, rule.unless] as const] : [],
    ),
  )
}

/** Reports what would bring rows into the dump or into the restored database that no rule covers. */
function checkSurroundings(
  { viewSources }: Catalog,
  drafts: readonly DraftTable[],
  { pgDumpArgs }: PlanOptions,
  findings: Findings,
): void {
  for (const problem of argumentProblems(pgDumpArgs)) findings.refuse(problem)
  for (const { view, kind, name } of viewSources) {
    const text = `materialized view ${tableText(view)}`
    if (kind === 'function') {
      findings.warn(
        `${text} calls ${name}; if that reads another database, the restore puts its rows unmasked into the view`,
      )
    } else {
      findings.refuse(
        `${text} reads ${kind === 'dblink' ? `another database by ${name}` : `the foreign table ${name}`}, so the restore would fill it with rows that are not masked; leave it out with exclude-table-data: ${tableText(view)}`,
      )
    }
  }
  for (const { table, rule } of drafts) {
    if (rule?.data === 'none' || !table.parts.some(({ hidden }) => hidden)) continue
    findings.refuse(
      `row security would hide rows of ${tableText(table)} from this role; use a role with BYPASSRLS, or one that owns the table`,
    )
  }
}

function explain({ file }: MaskFile, { refusals, warnings }: Findings, missing: string | null): string {
  const problems = [...refusals, ...warnings.map((warning) => `${warning} (only a warning)`)]
  const parts = []
  if (problems.length > 0) parts.push(problems.map((problem) => `  ${problem}`).join('\n'))
  if (missing !== null) {
    parts.push(
      `These tables and columns have no rule in ${file}. Add them, with a mask after each colon, or under keep:\n\n${missing}`,
    )
  }
  return `mask ${file} does not fit the database, so nothing was dumped:\n${parts.join('\n')}`
}

function finish({ table, rule, columns }: DraftTable): PlannedTable {
  const [rows, unless] = rule?.data === 'masked' ? [rule.rows, rule.unless] : (['all', null] as const)
  const { schema, name, extension, parts } = table
  const changed = rows !== 'all' || columns.some(maskOf)
  const isEmpty = rule?.data === 'none' || rows === 'none'
  return {
    ...{ schema, name, extension, rows, unless, parts },
    data: isEmpty ? 'none' : changed ? 'masked' : 'keep',
    columns: columns.map(finishColumn),
  }
}

function finishColumn({ column, treatment, because, maskType }: DraftColumn): PlannedColumn {
  return { name: column.name, declared: column.declared, treatment: treatment!, because, maskType }
}
