/** Tokens in which punctuation means nothing: quoted texts, names, numbers and comments to the end of a line (scan.l). */
const TOKENS = [
  /[eE]'(?:[^'\\]|''|\\.)*'/sy,
  /(?:[uU]&|[bBxXnN])?'(?:[^']|'')*'/y,
  /(?:[uU]&)?"(?:[^"]|"")+"/y,
  /\$((?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?)\$.*?\$\1\$/sy,
  /(?![eE]')[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*/y,
  /[\d.]+/y,
  /--[^\r\n]*/y,
]

const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']' }

/** Characters that end an expression or leave it, and what they are. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  ';': 'has a semicolon',
  '\\': 'has a backslash outside of quotes',
  "'": 'has a quote that is not closed',
  '"': 'has a double quote that is not closed',
  '\0': 'has a zero byte',
}

/**
 * Checks that a text is one SQL expression, so that it stays one between parentheses: brackets, quotes and comments are
 * closed, and nothing separates statements or list items. Whether it is valid, only the server can say.
 *
 * @returns the problem, such as "has a semicolon", or null
 */
export function expressionProblem(text: string): string | null {
  const open: string[] = []
  let tokens = 0
  for (let index = 0; index < text.length; ) {
    const length = tokenLength(text, index)
    if (length === null) return 'has a comment that is not closed'
    if (length > 0) {
      if (!/^(--|\/\*)/.test(text.slice(index, index + 2))) tokens += 1
      index += length
      continue
    }
    if (/^[eE]'/.test(text.slice(index, index + 2))) index += 1
    const character = text[index++]!
    const problem = FORBIDDEN[character] ?? bracketProblem(character, open)
    if (problem) return problem
    if (/\S/.test(character)) tokens += 1
  }
  if (open.length > 0) return `has a bracket that is not closed: "${open.at(-1) === ')' ? '(' : '['}"`
  return tokens === 0 ? 'is empty' : null
}

/** Returns the length of the token or comment at a position, 0 if none begins there, or null for a comment without an end. */
export function tokenLength(text: string, index: number): number | null {
  return tokenAt(text, index) ?? commentAt(text, index)
}

/** Returns the length of the token at a position, or undefined if none begins there. */
function tokenAt(text: string, index: number): number | undefined {
  for (const token of TOKENS) {
    token.lastIndex = index
    const match = token.exec(text)
    if (match) return match[0].length
  }
  return undefined
}

/** Returns the length of the comment at a position, 0 if none begins there, or null if it has no end. Comments nest. */
function commentAt(text: string, start: number): number | null {
  if (!text.startsWith('/*', start)) return 0
  let depth = 0
  for (const { index, 0: mark } of text.slice(start).matchAll(/\/\*|\*\//g)) {
    depth += mark === '/*' ? 1 : -1
    if (depth === 0) return index + mark.length
  }
  return null
}

/** Follows the brackets that are open. A comma outside of them would separate two expressions. */
function bracketProblem(character: string, open: string[]): string | null {
  const closing = CLOSING[character]
  if (closing) open.push(closing)
  else if (/[)\]]/.test(character)) {
    if (open.pop() !== character) return `has a bracket too many: "${character}"`
  } else if (character === ',' && open.length === 0) return 'has a comma, so it is more than one expression'
  return null
}
