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

function escapeUnicode(text: string): string {
  return escapeNonAscii(text.replaceAll('\\', '\\\\'), '+', 6)
}

/**
 * Writes characters outside ASCII as escapes: a backslash, `prefix`, and the code point in hexadecimal, padded to `digits`
 * (PostgreSQL's documentation, "Identifiers and Key Words" and "String Constants with C-Style Escapes").
 */
export function escapeNonAscii(text: string, prefix: '+' | 'U', digits: number): string {
  return text.replace(
    /[^\x00-\x7f]/gu,
    (character) => `\\${prefix}${character.codePointAt(0)!.toString(16).padStart(digits, '0')}`,
  )
}
