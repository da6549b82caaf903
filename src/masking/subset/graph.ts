import { type Relation, relationKey } from '../../relation.ts'
import { columnText, tableText } from '../names.ts'
import type { MaskPlan, PlannedTable } from '../plan.ts'
import type { Condition, Reference, Rows } from '../rules.ts'
import type { CatalogRelation, ComparedColumns, DeclaredKey } from './subset-catalog.ts'

/** A relation that holds rows of a table: the table itself or a partition. */
export type SubsetPart = Relation & {
  /** Numbers all parts of all tables. */
  number: number
  oid: string
  bytes: number
  /** Whether the dump has rows of it. */
  dumped: boolean
  /** For a configuration table of an extension, the condition of the rows that are dumped. */
  condition: string | null
}

/** A table of the restored database, with all its partitions. */
export type SubsetTable = Relation & {
  number: number
  parts: readonly SubsetPart[]
  rows: Rows
  /** Whether some of its rows may have to be left out before `rows: referenced` is looked at. */
  restricted: boolean
}

/** A foreign key of the database or of the mask file. */
export type Link = {
  number: number
  from: SubsetTable
  to: SubsetTable
  columns: readonly ComparedColumns[]
  /** The parts that have it, and those in which it looks for a row. */
  fromParts: ReadonlySet<SubsetPart>
  toParts: ReadonlySet<SubsetPart>
  /** Conditions of the rows that refer to something at all. */
  when: readonly Condition[]
  /** Whether every row of the source refers to exactly one row that exists. */
  trusted: boolean
  /** A function of a user that comparing the columns would call. */
  foreignCast: string | null
  /** For messages: `foreign key orders_user_fkey`. */
  key: string
}

export type Graph = { tables: readonly SubsetTable[]; links: readonly Link[] }

/** A reference of the mask file, with the tables it names and how their columns are compared. */
export type ResolvedReference = Reference & {
  tables: { from: SubsetTable; to: SubsetTable }
  comparisons: readonly ComparedColumns[]
}

/** Returns the tables of the restored database that have rows in the source. */
export function subsetTables(relations: readonly CatalogRelation[], plan: MaskPlan): SubsetTable[] {
  const planned = new Map(
    plan.tables.flatMap((table) => table.parts.map((part) => [part.oid, { table, part }] as const)),
  )
  const family = new Family(relations)
  const leaves = relations.filter(({ oid, holdsRows, chosen }) => holdsRows && (chosen || planned.has(oid)))
  const groups = Map.groupBy(leaves, ({ oid }) => family.rootOf(oid))
  let parts = 0
  return [...groups].map(([root, members], number) => {
    const rule = members.map(({ oid }) => planned.get(oid)?.table).find(Boolean)
    const rows = !rule || rule.data === 'none' ? 'none' : rule.rows
    return {
      ...{ schema: root.schema, name: root.name, number, rows },
      restricted: false,
      parts: members.map(({ oid, schema, name, bytes }) => ({
        ...{ oid, schema, name, bytes, number: parts++ },
        dumped: rows !== 'none' && planned.has(oid),
        condition: planned.get(oid)?.part.condition ?? null,
      })),
    }
  })
}

/** The ancestors of partitions. */
class Family {
  readonly #byOid: ReadonlyMap<string, CatalogRelation>

  constructor(relations: readonly CatalogRelation[]) {
    this.#byOid = new Map(relations.map((relation) => [relation.oid, relation]))
  }

  /** Returns a relation and everything above it. */
  lineOf(oid: string): CatalogRelation[] {
    const relation = this.#byOid.get(oid)
    if (!relation) return []
    return [relation, ...(relation.parent === null ? [] : this.lineOf(relation.parent))]
  }

  rootOf(oid: string): CatalogRelation {
    return this.lineOf(oid).at(-1)!
  }
}

/** Returns all links of the restored database, and marks the tables that they restrict. */
export function buildGraph(
  tables: readonly SubsetTable[],
  relations: readonly CatalogRelation[],
  keys: readonly DeclaredKey[],
  references: readonly ResolvedReference[],
  plan: MaskPlan,
): Graph {
  const planned = new Map(plan.tables.map((table) => [relationKey(table), table]))
  const all = [...declaredLinks(tables, relations, keys), ...references.map(virtualLink)]
  const links = all.flatMap((link, number) => {
    const when = whenOf(link, planned.get(relationKey(link.from)))
    return when ? [{ ...link, number, when: [...link.when, ...when] }] : []
  })
  markRestricted(tables, links)
  return { tables, links }
}

type NewLink = Omit<Link, 'number'> & { full: boolean }

/** A table that is not restored has no key, and nothing can refer to it. */
function declaredLinks(
  tables: readonly SubsetTable[],
  relations: readonly CatalogRelation[],
  keys: readonly DeclaredKey[],
): NewLink[] {
  const family = new Family(relations)
  const leaves = tables.flatMap((table) =>
    table.parts.flatMap((part) => family.lineOf(part.oid).map(({ oid }) => ({ oid, table, part }))),
  )
  const under = Map.groupBy(leaves, ({ oid }) => oid)
  return keys.flatMap(({ name, columns, full, validated, period, foreignCast, ...ends }) => {
    const [from, to] = [under.get(ends.from), under.get(ends.to)]
    if (!from || !to) return []
    return {
      ...{ from: from[0]!.table, to: to[0]!.table, columns, full, foreignCast, when: [] },
      fromParts: new Set(from.map(({ part }) => part)),
      toParts: new Set(to.map(({ part }) => part)),
      trusted: validated && !period,
      key: `foreign key ${columnText(name)}`,
    }
  })
}

function virtualLink({ line, when, tables, comparisons }: ResolvedReference): NewLink {
  return {
    ...{ ...tables, columns: comparisons, full: false, foreignCast: null },
    when: when === null ? [] : [{ line, condition: when }],
    fromParts: new Set(tables.from.parts),
    toParts: new Set(tables.to.parts),
    trusted: false,
    key: `the reference in line ${line}`,
  }
}

/**
 * Returns conditions under which a reference survives its masks, or null if it never does: a key whose column becomes NULL
 * refers to nothing.
 */
function whenOf({ columns, full }: NewLink, table: PlannedTable | undefined): Condition[] | null {
  const isNull = ({ column }: ComparedColumns) => {
    const treatment = table?.columns.find(({ name }) => name === column)?.treatment
    return typeof treatment === 'object' && treatment.mask === 'null'
  }
  if (!(full ? columns.every(isNull) : columns.some(isNull))) return []
  return table?.unless ? [table.unless] : null
}

/** A table is restricted if its rows are, or if it refers to one that is. */
function markRestricted(tables: readonly SubsetTable[], links: readonly Link[]): void {
  const restricted = tables.filter(
    ({ rows, parts }) => rows === 'none' || typeof rows === 'object' || parts.some(({ dumped }) => !dumped),
  )
  for (const table of restricted) table.restricted = true
  const incoming = Map.groupBy(links, ({ to }) => to)
  for (let table = restricted.pop(); table; table = restricted.pop()) {
    for (const { from } of incoming.get(table) ?? []) {
      if (from.restricted) continue
      from.restricted = true
      restricted.push(from)
    }
  }
}

/** Whether a dump has some rows of a table and may have to leave out others. */
export function isFiltered({ rows, restricted }: SubsetTable): boolean {
  return rows !== 'none' && (restricted || rows === 'referenced')
}

/** Returns a link for messages. */
export function linkText({ from, to, key }: Link): string {
  return `${tableText(from)} refers to ${tableText(to)} (${key})`
}
