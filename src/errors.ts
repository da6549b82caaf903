/** A failure that another attempt may overcome, such as a connection that went silent. */
export class TransientError extends Error {}

/**
 * A failure that must not be retried, regardless of its cause: a hook has had its effect, or it is unknown whether the work
 * was done.
 */
export class PermanentError extends Error {}

/** Returns the message of something that was thrown, which need not be an Error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
