import { globSource } from '../glob.ts'
import type { Relation } from '../relation.ts'
import type { NamePattern, TablePattern } from './rules.ts'

/**
 * Names in a mask file are written as the database stores them. Case matters even without quotes, because YAML takes
 * quotes away that enclose a whole value. Double quotes are needed only around names with other special characters.
 */
const QUOTED = '"(?:[^"]|"")+"'
const BARE = '[^\\s"\'.,()*]+'
const NAME = `(?:${QUOTED}|${BARE})`
const TABLE = `${NAME}\\.${NAME}`
const COLUMNS = `\\(\\s*${NAME}(?:\\s*,\\s*${NAME})*\\s*\\)`

const ONE_TABLE = new RegExp(`^(${NAME})\\.(${NAME})$`)
const ONE_COLUMN = new RegExp(`^(${NAME})\\.(${NAME})\\.(${NAME})$`)
const PATTERN_PART = `(?:${QUOTED}|[^\\s"'.,()]+)`
const ONE_PATTERN = new RegExp(`^(${PATTERN_PART})\\.(${PATTERN_PART})$`)
const REFERENCE = new RegExp(
  `^(${TABLE})\\s*(${COLUMNS})\\s*->\\s*(${TABLE})\\s*(${COLUMNS})(?:\\s+when\\s+(.+))?$`,
  's',
)

function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name
}

function parseTable(text: string): Relation | null {
  const [, schema, name] = ONE_TABLE.exec(text) ?? []
  return schema && name ? { schema: unquote(schema), name: unquote(name) } : null
}

/** Parses the name of a column, which is the whole text unless it is quoted. */
export function parseColumn(text: string): string | null {
  if (text.startsWith('"')) return new RegExp(`^${QUOTED}$`).test(text) ? unquote(text) : null
  return text === '' || text.includes('\0') ? null : text
}

/** Parses `schema.table.column`. */
export function parseTableColumn(text: string): { table: Relation; column: string } | null {
  const [, schema, name, column] = ONE_COLUMN.exec(text) ?? []
  if (!schema || !name || !column) return null
  return { table: { schema: unquote(schema), name: unquote(name) }, column: unquote(column) }
}

/** Parses `schema.table` with `*` as a wildcard outside of quotes. */
export function parseTablePattern(text: string): TablePattern | null {
  const [, schema, name] = ONE_PATTERN.exec(text) ?? []
  const parts = (part: string): NamePattern => (part.startsWith('"') ? [unquote(part)] : part.split('*'))
  return schema && name ? { text, schema: parts(schema), name: parts(name) } : null
}

/** Whether a pattern has a wildcard. */
export function isWildcard({ schema, name }: TablePattern): boolean {
  return schema.length > 1 || name.length > 1
}

/** Whether a table matches a pattern. */
export function matchesPattern(pattern: TablePattern, { schema, name }: Relation): boolean {
  return matches(pattern.schema, schema) && matches(pattern.name, name)
}

function matches(pattern: NamePattern, text: string): boolean {
  return new RegExp(globSource(pattern), 's').test(text)
}

/** The parts of `schema.table(column, …) -> schema.table(column, …) when condition`. */
export type ReferenceText = {
  from: { table: Relation; columns: string[] }
  to: { table: Relation; columns: string[] }
  when: string | null
}

/** Parses a foreign key that the database does not declare. */
export function parseReference(text: string): ReferenceText | null {
  const [, from, fromColumns, to, toColumns, when] = REFERENCE.exec(text) ?? []
  if (!from || !fromColumns || !to || !toColumns) return null
  const columns = (list: string) => [...list.matchAll(new RegExp(NAME, 'g'))].map(([name]) => unquote(name))
  return {
    from: { table: parseTable(from)!, columns: columns(fromColumns) },
    to: { table: parseTable(to)!, columns: columns(toColumns) },
    when: when ?? null,
  }
}

/** Returns a table's name as a mask file has it. */
export function tableText({ schema, name }: Relation): string {
  return `${quoteName(schema)}.${quoteName(name)}`
}

/** Returns a column's name as a mask file has it. */
export function columnText(name: string): string {
  return name.startsWith('"') ? quoteName(name) : name
}

/** Returns a column's name with its table, as parseTableColumn reads it. */
export function tableColumnText(table: Relation, column: string): string {
  return `${tableText(table)}.${quoteName(column)}`
}

function quoteName(name: string): string {
  return new RegExp(`^${BARE}$`).test(name) ? name : `"${name.replaceAll('"', '""')}"`
}
