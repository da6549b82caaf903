import type { Relation } from '../relation.ts'

/** The masks that are written as one word. */
export const SIMPLE_MASKS = ['null', 'empty', 'email', 'name', 'digits', 'token', 'uuid', 'text'] as const

export type SimpleMask = (typeof SIMPLE_MASKS)[number]

/** How one column is masked. */
export type MaskRule = {
  line: number
  /** Equal values of one domain get equal masks in every table. Columns without a domain share the domain `''`. */
  domain: string
} & (
  | { mask: SimpleMask }
  | { mask: 'value'; value: string }
  /** The paths that stay, each as its keys. */
  | { mask: 'json'; paths: readonly (readonly string[])[] }
  | { mask: 'sql'; expression: string }
)

/** An SQL condition of the user, which has been checked to be one expression. */
export type Condition = { line: number; condition: string }

/** Which rows of a table are dumped. */
export type Rows = 'all' | 'none' | 'referenced' | Condition

/** A name that the file mentions, and where. */
export type NamedColumn = { line: number; name: string }

/** What happens to one table. */
export type TableRule = { line: number } & (
  | { data: 'keep'; table: Relation }
  /** `*` in a part of the name stands for any text. */
  | { data: 'none'; pattern: TablePattern }
  | {
      data: 'masked'
      table: Relation
      rows: Rows
      keep: readonly NamedColumn[]
      unless: Condition | null
      columns: ReadonlyMap<string, MaskRule>
    }
)

/** A schema and a table as the file gives them, each with `*` as a wildcard (`null`) between exact texts. */
export type TablePattern = { text: string; schema: NamePattern; name: NamePattern }

/** The texts around each `*`. A single text is an exact name. */
export type NamePattern = readonly string[]

/** A foreign key that the database does not declare. */
export type Reference = {
  line: number
  from: { table: Relation; columns: readonly string[] }
  to: { table: Relation; columns: readonly string[] }
  when: string | null
}

/** A column whose values the leak scan accepts. */
export type Allowed = { line: number; table: Relation; column: string }

/** A parsed mask file. */
export type MaskFile = {
  /** The name of the file, for messages. */
  file: string
  tables: readonly TableRule[]
  references: readonly Reference[]
  allow: readonly Allowed[]
}
