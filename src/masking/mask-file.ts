import { didYouMean } from '../inputs/nearest.ts'
import type { Relation } from '../relation.ts'
import { readColumnRule } from './column-rule.ts'
import {
  isWildcard,
  parseColumn,
  parseReference,
  parseTableColumn,
  parseTablePattern,
  type ReferenceText,
} from './names.ts'
import { expressionProblem } from './one-expression.ts'
import type {
  Allowed,
  Condition,
  MaskFile,
  MaskRule,
  NamedColumn,
  Reference,
  Rows,
  TablePattern,
  TableRule,
} from './rules.ts'
import { type Entry, type Value, YamlReader } from './yaml-reader.ts'

const ROWS = ['all', 'none', 'referenced'] as const

/**
 * Parses a mask file. Names, masks and the form of conditions are checked; whether tables and columns exist and whether a
 * mask suits a column, only the database can say.
 *
 * @throws an Error with every problem and its line
 */
export function parseMaskFile(file: string, text: string): MaskFile {
  const reader = new YamlReader(text)
  const parts = reader.known(reader.root, 'the mask file', ['tables', 'references', 'allow'])
  const tables = parts.get('tables')
  if (!tables && reader.root.type === 'mapping') reader.report(1, 'the key "tables" is missing')
  const parsed: MaskFile = {
    file,
    tables: tables ? readTables(reader, tables.value) : [],
    references: readList(reader, parts.get('references'), readReference),
    allow: readList(reader, parts.get('allow'), readAllowed),
  }
  reader.throwProblems(`mask ${file} cannot be used`)
  return parsed
}

function readList<Item>(
  reader: YamlReader,
  entry: Entry | undefined,
  read: (reader: YamlReader, line: number, text: string) => Item | null,
): Item[] {
  if (!entry) return []
  return reader.texts(entry.value, entry.key).flatMap(({ line, text }) => read(reader, line, text) ?? [])
}

function readTables(reader: YamlReader, value: Value): TableRule[] {
  const lines = new Map<string, number>()
  return reader.entries(value, 'tables').flatMap((entry) => {
    const pattern = parseTablePattern(entry.key)
    if (!pattern) {
      reader.report(
        entry.line,
        `"${entry.key}" is not a table with its schema, such as public.users or public."my.table"`,
      )
      return []
    }
    const key = JSON.stringify([pattern.schema, pattern.name])
    const earlier = lines.get(key)
    if (earlier !== undefined) reader.report(entry.line, `${entry.key} is in line ${earlier} already`)
    lines.set(key, entry.line)
    return readTable(reader, entry, pattern) ?? []
  })
}

function readTable(reader: YamlReader, { line, key, value }: Entry, pattern: TablePattern): TableRule | null {
  const word = value.type === 'text' ? value.text : null
  if (word === 'none') return { line, data: 'none', pattern }
  if (isWildcard(pattern)) {
    reader.report(line, `${key} is a pattern, and a pattern can only be "none"`)
    return null
  }
  const table = { schema: pattern.schema[0]!, name: pattern.name[0]! }
  if (word === 'keep') return { line, data: 'keep', table }
  if (value.type === 'mapping') return readMaskedTable(reader, line, key, value, table)
  const hint = word === null ? '' : didYouMean(word, ['keep', 'none'])
  if (value.type !== 'invalid')
    reader.report(line, `${key} must be keep, none, or a mapping with "keep" and "columns"${hint}`)
  return null
}

function readMaskedTable(
  reader: YamlReader,
  line: number,
  key: string,
  value: Value,
  table: Relation,
): TableRule {
  const parts = reader.known(value, key, ['rows', 'keep', 'unless', 'columns'])
  const [rows, keep, unless, columns] = [
    parts.get('rows'),
    parts.get('keep'),
    parts.get('unless'),
    parts.get('columns'),
  ]
  const kept = keep ? readKept(reader, keep.value, key) : []
  const rule = {
    line,
    data: 'masked' as const,
    table,
    rows: rows ? readRows(reader, rows.value, key) : ('all' as const),
    keep: kept,
    unless: unless ? readCondition(reader, unless.value, `"unless" of ${key}`) : null,
    columns: columns ? readColumns(reader, columns.value, key, kept) : new Map<string, MaskRule>(),
  }
  if (parts.size === 0 && value.type === 'mapping' && value.entries.length === 0)
    reader.report(line, `${key} has no rule`)
  return rule
}

function readKept(reader: YamlReader, value: Value, table: string): NamedColumn[] {
  const lines = new Map<string, number>()
  return reader.texts(value, `"keep" of ${table}`).flatMap(({ line, text }) => {
    const name = readColumnName(reader, line, text)
    if (name === null) return []
    if (lines.has(name)) reader.report(line, `"${name}" is under keep twice`)
    lines.set(name, line)
    return { line, name }
  })
}

function readColumns(
  reader: YamlReader,
  value: Value,
  table: string,
  kept: readonly NamedColumn[],
): Map<string, MaskRule> {
  const rules = new Map<string, MaskRule>()
  for (const entry of reader.entries(value, `"columns" of ${table}`)) {
    const name = readColumnName(reader, entry.line, entry.key)
    const rule = readColumnRule(reader, entry)
    if (name === null) continue
    const keep = kept.find((column) => column.name === name)
    if (keep) reader.report(entry.line, `"${name}" is under keep already (line ${keep.line})`)
    const earlier = rules.get(name)
    if (earlier) reader.report(entry.line, `"${name}" is in line ${earlier.line} already`)
    if (rule) rules.set(name, rule)
  }
  return rules
}

function readColumnName(reader: YamlReader, line: number, text: string): string | null {
  const name = parseColumn(text)
  if (name === null) reader.report(line, `${JSON.stringify(text)} is not the name of a column`)
  return name
}

function readRows(reader: YamlReader, value: Value, table: string): Rows {
  const word = ROWS.find((candidate) => value.type === 'text' && candidate === value.text)
  if (word) return word
  const text = value.type === 'text' ? value.text : ''
  const hint = /^\w+$/.test(text) && didYouMean(text, ROWS)
  if (hint)
    reader.report(value.line, `"rows" of ${table} is "${text}"${hint}; a column needs parentheses: (${text})`)
  return (hint ? null : readCondition(reader, value, `"rows" of ${table}`)) ?? 'none'
}

function readCondition(reader: YamlReader, value: Value, what: string): Condition | null {
  const text = reader.text(value, what)
  const problem = text && expressionProblem(text.text)
  if (problem) reader.report(value.line, `${what} ${problem}; it must be one SQL condition`)
  return text && { line: text.line, condition: text.text }
}

function readReference(reader: YamlReader, line: number, text: string): Reference | null {
  const reference = parseReference(text)
  const problem = referenceProblem(reference)
  if (problem) reader.report(line, `${JSON.stringify(text)} ${problem}`)
  return reference && { line, ...reference }
}

function referenceProblem(reference: ReferenceText | null): string | null {
  if (!reference) {
    return 'is not a reference such as public.comments(post_id) -> public.posts(id), with "when" and a condition if need be'
  }
  const { from, to, when } = reference
  if (from.columns.length !== to.columns.length)
    return `has ${from.columns.length} columns on the left and ${to.columns.length} on the right`
  const problem = when === null ? null : expressionProblem(when)
  return problem && `has a condition that ${problem}`
}

function readAllowed(reader: YamlReader, line: number, text: string): Allowed | null {
  const parsed = parseTableColumn(text)
  if (!parsed) {
    reader.report(line, `${JSON.stringify(text)} is not a column with its table, such as public.users.bio`)
  }
  return parsed && { line, ...parsed }
}
