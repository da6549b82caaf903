import { parseDuration, parseLifetime } from './parse.ts'
import type { Reader } from './reader.ts'

/** The inputs that decide how long a database lives. */
export type PreviewInputs = Readonly<{
  /** Patterns of the databases that `drop` looks at; empty if it drops the database of `database-url`. */
  databases: readonly string[]
  /** Milliseconds, or null. */
  olderThan: number | null
  closedPullRequests: boolean
  /** The lifetime of a new database in milliseconds; null if it does not expire. */
  expiresAfter: number | null
  /** Empty outside GitHub. */
  githubToken: string
}>

/** Reads them. */
export function readPreviews(reader: Reader): PreviewInputs {
  return {
    databases: reader.list('databases'),
    olderThan: reader.read('older-than', parseDuration, null),
    closedPullRequests: reader.boolean('closed-pull-requests'),
    expiresAfter: reader.read('expires-after', parseLifetime, null),
    githubToken: reader.read('github-token', parseToken, ''),
  }
}

/** Reads a token. Outside GitHub, nothing has evaluated the expression that is the default. */
function parseToken(text: string): string {
  return text.startsWith('${{') ? '' : text
}
