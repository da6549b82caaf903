import { escapeNonAscii } from '../database/connection/literal.ts'
import { tokenLength } from './one-expression.ts'

/**
 * Writes SQL in ASCII, with Unicode escapes in its texts and names, because a session that reads rows receives statements in
 * the encoding of the dump. In comments, other characters become question marks.
 */
export function asciiSql(text: string): string {
  let ascii = ''
  for (let index = 0; index < text.length; ) {
    const token = text.slice(index, index + (tokenLength(text, index) || 1))
    ascii += /^[\x00-\x7f]*$/.test(token) ? token : escapeToken(token)
    index += token.length
  }
  return ascii
}

/** Rewrites a token. The blank before it keeps the prefix `U&` apart from a word. */
function escapeToken(token: string): string {
  if (/^[eE]'/.test(token)) return escapeNonAscii(token, 'U', 8)
  if (/^[uU]&/.test(token)) return escapeNonAscii(token, '+', 6)
  if (token.startsWith("'")) return ` U&${escapeNonAscii(token.replaceAll('\\', '\\\\'), '+', 6)}`
  if (/^[nN]'/.test(token)) return escapeToken(token.slice(1))
  if (token.startsWith('"')) return ` U&${escapeNonAscii(token.replaceAll('\\', '\\\\'), '+', 6)}`
  const [, tag] = /^\$(.*?)\$/.exec(token) ?? []
  if (tag !== undefined) {
    const content = token.slice(tag.length + 2, -tag.length - 2)
    return escapeToken(`'${content.replaceAll("'", "''")}'`)
  }
  if (/^[^-/\s]/.test(token) && /^[\w$\x80-\uffff]+$/.test(token)) return escapeToken(`"${folded(token)}"`)
  return token.replace(/[^\x00-\x7f]/gu, '?')
}

/** Returns a name without quotes as the server stores it. It folds letters of ASCII only, in encodings of several bytes. */
function folded(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
