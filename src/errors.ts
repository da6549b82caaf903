/** A failure of the way and not of the matter, such as a connection that went silent: another attempt may succeed. */
export class TransientError extends Error {}

/**
 * A failure that no other attempt may follow, whatever its cause: a hook of the user's has had its effect, or nobody knows
 * whether the work was done.
 */
export class PermanentError extends Error {}

/** Returns what went wrong, in words; anything may be thrown, and not all of it is an Error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
