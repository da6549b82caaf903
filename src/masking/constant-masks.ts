import { literal } from '../database/connection/literal.ts'
import { type ColumnType, castType, isBuiltIn, isOneOf, isText, lengthLimit } from './column-type.ts'

/** What stands for nothing in each type. */
const EMPTY: Readonly<Record<string, string>> = {
  int2: '0',
  int4: '0',
  int8: '0',
  numeric: '0',
  float4: '0',
  float8: '0',
  money: '0',
  interval: '0',
  bool: 'false',
  bytea: '',
  json: '{}',
  jsonb: '{}',
  uuid: '00000000-0000-0000-0000-000000000000',
  varbit: '',
  tsvector: '',
  xml: '',
}

/** Returns the empty value of a type as a literal, or why it has none. */
export function emptyValue(type: ColumnType): { expression: string } | { refusal: string } {
  const text = emptyText(type)
  if (text !== null) return { expression: `${literal(text)}::${castType(type)}` }
  return { refusal: `empty means nothing for ${type.type}; use {value: …}, {sql: …} or null` }
}

function emptyText(type: ColumnType): string | null {
  if (type.isArray) return '{}'
  if (isText(type)) return ''
  if (isBuiltIn(type) && type.kind === 'r') return 'empty'
  if (isBuiltIn(type) && type.kind === 'm') return '{}'
  return isOneOf(type, type.base) ? (EMPTY[type.base] ?? null) : null
}

/**
 * Returns a constant of the mask file as a literal, or why it cannot be one. Whether the type accepts the text, only the
 * server can say. A literal of a type that a user composed would run checks of domains in it with the rights of this session.
 */
export function constantValue(type: ColumnType, value: string): { expression: string } | { refusal: string } {
  if (type.kind !== 'b' && type.kind !== 'e' && !isBuiltIn(type))
    return { refusal: `a value for ${type.type} cannot be checked safely; use {sql: …} or null` }
  const limit = type.isArray ? null : lengthLimit(type)
  const length = [...value].length
  if (limit !== null && length > limit)
    return { refusal: `the value has ${length} characters, and the column is ${type.type}` }
  return { expression: `${literal(value)}::${castType(type)}` }
}
