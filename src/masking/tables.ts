import type { Relation } from '../relation.ts'
import type { ColumnType } from './column-type.ts'

/** A column as the catalog describes it. Dropped columns are left out. */
export type Column = {
  name: string
  /** The type behind all domains. */
  type: ColumnType
  /** The type as it was declared, which may be a domain. */
  declared: string
  /** Whether NULL is refused, by the column itself or by its domain. */
  notNull: boolean
  /** For a generated column, the columns from which it is computed; otherwise null. */
  computedFrom: readonly string[] | null
  /** Whether values that differ in their bytes always count as different. */
  deterministic: boolean
}

/** What keeps rows apart: a unique index, such as that of a primary key, or an exclusion constraint. */
export type UniqueKey = {
  name: string
  kind: 'primary key' | 'unique index' | 'exclusion constraint'
  /** The columns that are compared as they are. */
  columns: readonly string[]
  /** The columns that its expressions and its predicate use. */
  computedFrom: readonly string[]
  /** Whether several rows may have NULL. */
  nullsDistinct: boolean
}

/** A CHECK constraint, and the columns that it reads. */
export type CheckConstraint = { name: string; columns: readonly string[] }

/** A relation whose rows are dumped by a data entry of its own. */
export type Part = Relation & {
  oid: string
  columns: readonly Column[]
  uniqueKeys: readonly UniqueKey[]
  checks: readonly CheckConstraint[]
  /** The estimate of the planner, or null if it has none yet. */
  rows: number | null
  /** For a configuration table of an extension, the condition (`WHERE …`) of the rows that are dumped. */
  condition: string | null
  /** Whether row security would hide rows from this role. */
  hidden: boolean
}

/** A table as the mask file names it: one of its own, or the root of a partition tree. */
export type Table = Relation & {
  /** The extension whose configuration it holds, or null. */
  extension: string | null
  /** The columns that decide to which partition a row belongs, at any level. */
  partitionKey: readonly string[]
  /** The table itself, or those of its partitions whose rows are dumped. */
  parts: readonly Part[]
}

/** A foreign key. Partitions are represented by the root of their tree. */
export type ForeignKey = {
  name: string
  table: Relation
  columns: readonly string[]
  references: Relation
  /** The referenced columns, in the order of `columns`. */
  keys: readonly string[]
  /** Whether a key must be NULL as a whole or not at all (`MATCH FULL`). */
  full: boolean
  /** Whether a restore checks its rows. */
  validated: boolean
}

/** A relation that exists. For a partition, `root` is the table whose rule it follows. */
export type Known = Relation & {
  kind: 'table' | 'view' | 'materialized view' | 'foreign table'
  root: Relation | null
}

/** What the refresh of a materialized view executes or reads besides tables of the dump. */
export type ViewSource = { view: Relation; kind: 'foreign table' | 'dblink' | 'function'; name: string }

/** What a plan needs to know of a database. */
export type Catalog = {
  /** Every table whose rows would be dumped under the filters of the step. */
  tables: readonly Table[]
  known: readonly Known[]
  foreignKeys: readonly ForeignKey[]
  viewSources: readonly ViewSource[]
  hasLargeObjects: boolean
}
