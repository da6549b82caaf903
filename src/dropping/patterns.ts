import { globSource } from '../glob.ts'

/** Returns what each `*` of a pattern matches in a name, or null if the pattern does not match. Case matters, as in PostgreSQL. */
function matchPattern(name: string, pattern: string): string[] | null {
  const source = globSource(pattern.split('*'), '(.*)')
  return new RegExp(source, 'su').exec(name)?.slice(1) ?? null
}

/** Whether one of the patterns matches a name. All characters but `*` stand for themselves. */
export function matchesAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchPattern(name, pattern) !== null)
}

/** Matches a number as GitHub writes it: `007` is a name that somebody chose. */
const PULL_REQUEST = /^[1-9][0-9]*$/

/**
 * Returns the numbers that the only `*` of a pattern matches in a name. There are several if several patterns match, such
 * as `preview_*` and `preview_1*`.
 */
export function pullRequestNumbers(name: string, patterns: readonly string[]): string[] {
  const matched = patterns.flatMap((pattern) => matchPattern(name, pattern) ?? [])
  return [...new Set(matched.filter((text) => PULL_REQUEST.test(text)))]
}
