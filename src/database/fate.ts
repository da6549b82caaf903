/** What became of a database that a step looked at, and why. */
export type Fate = { name: string; fate: 'dropped' | 'kept' | 'failed'; reason: string }
