import type { Watch } from '../archive/archive.ts'
import { mayHoldText } from '../masking/leak-columns.ts'
import { leakMessage } from '../masking/leak-message.ts'
import { type Leak, LeakScan, type ScannedColumn } from '../masking/leak-scan.ts'
import type { MaskPlan, PlannedTable } from '../masking/plan.ts'
import type { MaskFile } from '../masking/rules.ts'
import type { Part } from '../masking/tables.ts'
import { type Relation, relationKey } from '../relation.ts'

/** Searches what passes of the columns that are kept. */
export class LeakWatch {
  readonly #columns: ReadonlyMap<string, { table: Relation; columns: readonly ScannedColumn[] }>
  readonly #found = new Map<string, { table: Relation; leaks: Map<string, Leak> }>()

  constructor({ tables }: MaskPlan, { allow }: Pick<MaskFile, 'allow'>) {
    const allowed = new Set(allow.map(({ table, column }) => columnKey(table, column)))
    this.#columns = new Map(
      tables
        .flatMap((table) => table.parts.map((part) => ({ table, part })))
        .map(({ table, part }) => [part.oid, { table, columns: scannedColumns(table, part, allowed) }]),
    )
  }

  readonly watch: Watch = ({ oid }, encoding) => {
    const planned = this.#columns.get(oid)
    if (!planned?.columns.some(({ scanned }) => scanned)) return null
    const scan = new LeakScan(planned.columns, encoding ?? 'UTF8')
    return { add: (piece) => scan.add(piece), end: () => this.#note(planned.table, scan.end()) }
  }

  /** @throws an Error that names the columns in which something was found */
  check(): void {
    if (this.#found.size === 0) return
    const tables = [...this.#found.values()]
    throw new Error(leakMessage(tables.map(({ table, leaks }) => ({ table, leaks: [...leaks.values()] }))))
  }

  /** Adds what was found in a part of a table. */
  #note(table: Relation, leaks: readonly Leak[]): void {
    if (leaks.length === 0) return
    const key = relationKey(table)
    const found = this.#found.get(key) ?? { table, leaks: new Map<string, Leak>() }
    for (const leak of leaks) {
      const kind = JSON.stringify([leak.column, leak.kind])
      const before = found.leaks.get(kind)?.count ?? 0
      found.leaks.set(kind, { ...leak, count: before + leak.count })
    }
    this.#found.set(key, found)
  }
}

function columnKey(table: Relation, column: string): string {
  return JSON.stringify([relationKey(table), column])
}

/** Returns the columns of a part in the order of its data. */
function scannedColumns(
  table: PlannedTable,
  part: Part,
  allowed: ReadonlySet<string>,
): readonly ScannedColumn[] {
  const kept = new Set(table.columns.filter(({ treatment }) => treatment === 'keep').map(({ name }) => name))
  const isAllowed = (name: string) => [table, part].some((relation) => allowed.has(columnKey(relation, name)))
  return part.columns
    .filter(({ computedFrom }) => computedFrom === null)
    .map(({ name, type }) => ({
      name,
      scanned: kept.has(name) && mayHoldText(type) && !isAllowed(name),
    }))
}
