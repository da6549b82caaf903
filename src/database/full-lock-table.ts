const FULL = /out of shared memory/

/** Returns what helps when the server's lock table is full, or nothing if the text does not say so. */
export function lockTableHint(text: string, instead: string): string {
  if (!FULL.test(text)) return ''
  return `. The server has no room for more locks: raise its setting max_locks_per_transaction (64 by default, a restart is needed), or ${instead}`
}
