/** What a mask needs to know of a column's type. All of it is about the type behind all domains. */
export type ColumnType = {
  /** The type with its modifier, as `format_type` writes it when only `pg_catalog` is in the search_path. */
  type: string
  /** Its name in `pg_type`, such as `varchar`; of an array, the name of the type of its elements. */
  base: string
  /** Its `typtype`; of an array, that of its elements, which may be a domain (`d`). */
  kind: 'b' | 'c' | 'd' | 'e' | 'm' | 'p' | 'r'
  isArray: boolean
}

/** Types that are written with keywords. These always mean the types of `pg_catalog`, and cannot be qualified. */
const KEYWORDS =
  /^(bigint|bit|boolean|character|double precision|integer|interval|numeric|real|smallint|time|timestamp)\b/

/** Returns the type as a cast needs it, so that no search_path makes another type of it. */
export function castType({ type }: ColumnType): string {
  return KEYWORDS.test(type) || type.includes('.') ? type : `pg_catalog.${type}`
}

/** Whether a type is one of PostgreSQL itself, whose input runs no function of a user. */
export function isBuiltIn({ type }: ColumnType): boolean {
  return KEYWORDS.test(type) || !type.includes('.')
}

const TEXTS = ['text', 'varchar', 'bpchar', 'name', 'citext']

/** Whether values are texts. */
export function isText({ base, kind, isArray }: ColumnType): boolean {
  return !isArray && kind === 'b' && TEXTS.includes(base)
}

/** Whether a type is one of the given types of PostgreSQL, and not an array. */
export function isOneOf(type: ColumnType, ...names: readonly string[]): boolean {
  return !type.isArray && type.kind === 'b' && isBuiltIn(type) && names.includes(type.base)
}

/** Returns how many characters a text type can hold, or null if it has no limit. A name holds 63 bytes (NAMEDATALEN). */
export function lengthLimit({ type, base }: ColumnType): number | null {
  const [, length] = /^character(?: varying)?\((\d+)\)/.exec(type) ?? []
  return length ? Number(length) : base === 'name' ? 63 : null
}

/** Returns the precision and the scale of a numeric type, or null if it has no limit. */
export function numericDigits({ type }: ColumnType): { precision: number; scale: number } | null {
  const [, precision, scale] = /^numeric\((\d+),(-?\d+)\)/.exec(type) ?? []
  return precision ? { precision: Number(precision), scale: Number(scale) } : null
}
