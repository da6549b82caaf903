/**
 * Returns the source of a regular expression for a pattern.
 *
 * @param parts the texts between the wildcards of the pattern; all of their characters stand for themselves
 * @param wildcard the expression of a wildcard
 */
export function globSource(parts: readonly string[], wildcard = '.*'): string {
  return `^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join(wildcard)}$`
}

/** Whether a text matches a pattern in which `*` stands for any text. Case does not matter. */
export function matchesGlob(text: string, pattern: string): boolean {
  return new RegExp(globSource(pattern.split('*')), 'is').test(text)
}
