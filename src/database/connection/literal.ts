/** Quotes a string as an SQL literal. It requires `standard_conforming_strings`, which every session sets. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** Quotes a name as an SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

const ASCII = /^[\x00-\x7f]*$/

/** As `identifier`, in ASCII: with Unicode escapes, which servers in any encoding but SQL_ASCII understand. */
export function asciiIdentifier(name: string): string {
  return ASCII.test(name) ? identifier(name) : `U&${identifier(escapeUnicode(name))}`
}

/** As `literal`, in ASCII. */
export function asciiLiteral(text: string): string {
  return ASCII.test(text) ? literal(text) : `U&${literal(escapeUnicode(text))}`
}

/** Writes other characters than ASCII as PostgreSQL's documentation, "Identifiers and Key Words", describes. */
function escapeUnicode(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replace(/[^\x00-\x7f]/gu, (character) => `\\+${character.codePointAt(0)!.toString(16).padStart(6, '0')}`)
}
