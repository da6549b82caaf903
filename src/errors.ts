/** A failure of the way and not of the matter, such as a connection that went silent: another attempt may succeed. */
export class PassingError extends Error {}

/**
 * A failure that no other attempt may follow, whatever its cause: a hook of the user's has had its effect, or nobody knows
 * whether the work was done.
 */
export class FinalError extends Error {}
