import { hasShape, isLine, isOneOf, isText, isTime, optional } from '../shape.ts'

/**
 * What this action writes in the comment of a database that it made, so that a later run recognises it:
 * `staging` is being built, `clone` is live, `point` is a restore point, `template` is what previews are copied from,
 * `old` waits to be dropped.
 */
export type Marker = {
  kind: 'staging' | 'clone' | 'point' | 'template' | 'old'
  of: string
  at: string
  run: string
  /** When a sweep of `drop` may drop the database; missing if it does not expire. */
  expires?: string
}

const PREFIX = 'pgclone-action '

/** A marker is about 200 bytes long, so a comment longer than this is not a marker and is not parsed. */
const MAX_COMMENT_LENGTH = 10_000
const MAX_NAME_LENGTH = 1000
const MAX_URL_LENGTH = 2000

const isMarker = hasShape({
  kind: isOneOf('staging', 'clone', 'point', 'template', 'old'),
  of: isText(MAX_NAME_LENGTH),
  at: isTime,
  run: isLine(MAX_URL_LENGTH),
  expires: optional(isTime),
} satisfies Record<keyof Marker, unknown>)

/** The comment that marks a database as made by this action. */
export function formatMarker(marker: Marker): string {
  return PREFIX + JSON.stringify(marker)
}

/**
 * Reads the marker in the comment of a database, which its owner may have written.
 *
 * @returns null for a comment that is not a whole marker: then the database is not treated as made by this action
 */
export function parseMarker(comment: string | null): Marker | null {
  if (!comment?.startsWith(PREFIX) || comment.length > MAX_COMMENT_LENGTH) return null
  try {
    const value: unknown = JSON.parse(comment.slice(PREFIX.length))
    return isMarker(value) ? (value as Marker) : null
  } catch {
    return null
  }
}
