import { literal } from './literal.ts'

/**
 * A pattern of names as `psql` and `pg_dump` read it (`patternToSQLRegex` in string_utils.c): a regular expression for
 * each part between dots. Letters outside of double quotes are folded to lower case, `*` and `?` are wildcards.
 */
function patternParts(pattern: string): string[] {
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
 * Returns the query for the names that a pattern matches, as in `expand_table_name_patterns` and
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
    return `SELECT n.nspname AS name FROM pg_catalog.pg_namespace AS n WHERE ${conditions.join(' AND ')}`
  }
  conditions.push(
    matches('c.relname', name),
    schema === undefined ? 'pg_catalog.pg_table_is_visible(c.oid)' : matches('n.nspname', schema),
    `c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'S', 'v', 'm', 'f', 'p']::pg_catalog."char"[])`,
  )
  return `SELECT n.nspname AS schema, c.relname AS name FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE ${conditions.join(' AND ')}`
}
