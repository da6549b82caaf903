import { type Relation, relationKey } from '../relation.ts'
import type { ColumnType } from './column-type.ts'
import { columnText, tableText } from './names.ts'
import type { MaskRule, TableRule } from './rules.ts'
import type { Column, Table } from './tables.ts'

/** What happens to a column. A generated column is computed again from what is restored. */
export type Treatment = 'keep' | 'computed' | MaskRule

/** A column while the plan is made; it has no treatment until a rule gives it one. */
export type DraftColumn = {
  table: Relation
  column: Column
  treatment: Treatment | null
  /** Why it has the mask of another column, or null if it has a rule of its own. */
  because: string | null
  /** The type for which its mask is made: its own, or a narrower one of columns that must have equal masks. */
  maskType: ColumnType
}

/** A table while the plan is made. `rule` is null where the mask file does not name it. */
export type DraftTable = {
  table: Table
  rule: TableRule | null
  columns: readonly DraftColumn[]
}

type Finding = { text: string; line: number | undefined }

/** What planning has found, in the order of the mask file. A refusal ends the step, a warning does not. */
export class Findings {
  readonly #refusals: Finding[] = []
  readonly #warnings: Finding[] = []

  refuse(text: string, line?: number): void {
    this.#refusals.push({ text, line })
  }

  warn(text: string, line?: number): void {
    this.#warnings.push({ text, line })
  }

  get refusals(): string[] {
    return inOrder(this.#refusals)
  }

  get warnings(): string[] {
    return inOrder(this.#warnings)
  }
}

/** Findings without a line come last. */
function inOrder(findings: readonly Finding[]): string[] {
  const place = ({ line }: Finding) => line ?? Number.MAX_SAFE_INTEGER
  const texts = findings
    .toSorted((a, b) => place(a) - place(b))
    .map(({ text, line }) => (line === undefined ? text : `line ${line}: ${text}`))
  return [...new Set(texts)]
}

/** The columns of all tables whose rows are dumped, found by name. */
export class Columns {
  readonly all: readonly DraftColumn[]
  readonly #byName: ReadonlyMap<string, DraftColumn>

  constructor(tables: readonly DraftTable[]) {
    this.all = tables.flatMap(({ columns }) => columns)
    this.#byName = new Map(this.all.map((found) => [key(found.table, found.column.name), found]))
  }

  find(table: Relation, name: string): DraftColumn | undefined {
    return this.#byName.get(key(table, name))
  }
}

function key(table: Relation, column: string): string {
  return JSON.stringify([relationKey(table), column])
}

/** Returns the mask of a column, or null if it has none. */
export function maskOf({ treatment }: DraftColumn): MaskRule | null {
  return treatment === null || typeof treatment === 'string' ? null : treatment
}

/** Returns `public.users.email`, for messages. */
export function fullName({ table, column }: Pick<DraftColumn, 'table' | 'column'>): string {
  return `${tableText(table)}.${columnText(column.name)}`
}

/** Returns a mask as a mask file has it, such as `email` or `{mask: token, domain: person}`. */
export function maskText(rule: MaskRule): string {
  const domain = rule.domain === '' ? '' : `, domain: ${rule.domain}`
  if (rule.mask === 'value') return `{value: ${JSON.stringify(rule.value)}}`
  if (rule.mask === 'sql') return `{sql: ${JSON.stringify(rule.expression)}}`
  if (rule.mask === 'json') return `{json: [${rule.paths.map((path) => path.join('.')).join(', ')}]}`
  return domain ? `{mask: ${rule.mask}${domain}}` : rule.mask
}
