/**
 * What we write in the comment of a database that we made, so that a later run knows it as ours:
 * `staging` is being built, `clone` is live, `point` is a restore point, `template` is what previews are copied from,
 * `old` waits to be dropped.
 */
export type Marker = {
  kind: 'staging' | 'clone' | 'point' | 'template' | 'old'
  of: string
  at: string
  run: string
}

const PREFIX = 'pgclone-action '

/** The comment that marks a database as ours. */
export function formatMarker(marker: Marker): string {
  return PREFIX + JSON.stringify(marker)
}

/** @returns null for a comment that is not ours */
export function parseMarker(comment: string | null): Marker | null {
  if (!comment?.startsWith(PREFIX)) return null
  try {
    return JSON.parse(comment.slice(PREFIX.length)) as Marker
  } catch {
    return null
  }
}
