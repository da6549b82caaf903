import { literal } from './literal.ts'

/**
 * A pattern of names as `psql` and `pg_dump` read it (`patternToSQLRegex` in string_utils.c): a regular expression for
 * each part between dots. Letters outside of double quotes are folded to lower case, `*` and `?` are wildcards.
 */
export function patternParts(pattern: string): string[] {
  const parts = ['']
  let quoted = false
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern[index]!
    if (character === '"') {
      if (quoted && pattern[index + 1] === '"') {
        parts.push(`${parts.pop()}"`)
        index += 1
      } else quoted = !quoted
    } else if (!quoted && character === '.') parts.push('')
    else parts.push(parts.pop() + toRegex(character, quoted, pattern[index + 1]))
  }
  return parts.map((part) => `^(${part})$`)
}

const SPECIAL = '|*+?()[]{}.^$\\'

function toRegex(character: string, quoted: boolean, next: string | undefined): string {
  if (character === '$' || (quoted && SPECIAL.includes(character))) return `\\${character}`
  if (quoted) return character
  if (character === '*') return '.*'
  if (character === '?') return '.'
  // An empty bracket expression is the name of an array type.
  if (character === '[' && next === ']') return '\\['
  return character.replace(/[A-Z]/, (letter) => letter.toLowerCase())
}

/**
 * Returns the query for the OIDs of what a pattern matches, as in `expand_table_name_patterns` and
 * `expand_schema_name_patterns` of pg_dump.c. Every name in it is qualified, because it runs under the search_path of the
 * user, which decides what a pattern without a schema matches.
 */
export function patternQuery(what: 'relations' | 'schemas', pattern: string): string {
  const parts = patternParts(pattern)
  const name = parts.pop()!
  const schema = what === 'relations' ? parts.pop() : undefined
  const matches = (column: string, regex: string) =>
    `${column} OPERATOR(pg_catalog.~) ${literal(regex)} COLLATE pg_catalog.default`
  const conditions = parts.map((part) => matches('pg_catalog.current_database()', part))
  if (parts.length > 1) conditions.push('false')
  if (what === 'schemas') {
    conditions.push(matches('n.nspname', name))
    return `SELECT n.oid::pg_catalog.text AS oid FROM pg_catalog.pg_namespace AS n WHERE ${conditions.join(' AND ')}`
  }
  conditions.push(
    matches('c.relname', name),
    schema === undefined ? 'pg_catalog.pg_table_is_visible(c.oid)' : matches('n.nspname', schema),
    `c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'S', 'v', 'm', 'f', 'p']::pg_catalog."char"[])`,
  )
  return `SELECT c.oid::pg_catalog.text AS oid FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE ${conditions.join(' AND ')}`
}

/**
 * Returns an SQL expression for the characters of a text as a JSON array of the numbers by which a regular expression can
 * name them (pg_wchar of pg_wchar.h): code points in UTF8, the bytes of the character in every other encoding.
 */
export function characterCodes(text: string): string {
  const character = `substr(${text}, i, 1)`
  const bytes = `encode(convert_to(${character}, getdatabaseencoding()), 'hex')`
  return `(SELECT coalesce(json_agg(CASE getdatabaseencoding() WHEN 'UTF8' THEN ascii(${character})
             ELSE ('x' || lpad(${bytes}, 16, '0'))::bit(64)::bigint END ORDER BY i), '[]')
           FROM generate_series(1, length(${text})) AS i)`
}

const QUOTE = '"'.charCodeAt(0)

/**
 * Writes a pattern in ASCII, with an escape of regular expressions for every other character. `pg_dump` sends its
 * arguments in the encoding of the database or of `client_encoding`, so the same bytes would be another name there.
 *
 * @param codes the pattern's characters, as `characterCodes` returns them
 */
export function asciiPattern(codes: readonly number[]): string {
  let quoted = false
  return codes
    .map((code) => {
      if (code === QUOTE) quoted = !quoted
      if (code < 128) return String.fromCharCode(code)
      const hex = code.toString(16)
      // An escape with \x takes every digit that follows.
      const escaped = hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `(\\x${hex})`
      return quoted ? `"${escaped}"` : escaped
    })
    .join('')
}

/** Names of a relation and of its schema, as `characterCodes` returns them. */
export type NameCodes = { schema: readonly number[]; name: readonly number[] }

/** Names in one pattern: few enough for a regular expression that compiles quickly. */
const NAMES_IN_PATTERN = 50

/** Returns patterns that match exactly the given relations, many in one, because `pg_dump` runs a query for each. */
export function exactPatterns(relations: readonly NameCodes[]): string[] {
  const bySchema = Map.groupBy(relations, ({ schema }) => quotedPattern(schema))
  return [...bySchema].flatMap(([schema, group]) => {
    const names = group.map(({ name }) => quotedPattern(name))
    const patterns: string[] = []
    while (names.length > 0) {
      const some = names.splice(0, NAMES_IN_PATTERN)
      patterns.push(`${schema}.${some.length === 1 ? some[0] : `(${some.join('|')})`}`)
    }
    return patterns
  })
}

function quotedPattern(name: readonly number[]): string {
  const escaped = name.flatMap((code) => (code === QUOTE ? [QUOTE, QUOTE] : [code]))
  return asciiPattern([QUOTE, ...escaped, QUOTE])
}
