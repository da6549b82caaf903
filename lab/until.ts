import { setTimeout as sleep } from 'node:timers/promises'

/** Far beyond what any condition takes on a busy machine: it notices a hang, not a load. */
const LIMIT_MS = 180_000

/**
 * Waits for what has no event, such as a process of another program, by looking again and again.
 *
 * @returns what `look` found, once it is neither false nor empty
 */
export async function until<T>(look: () => T | Promise<T>, what: string): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + LIMIT_MS; Date.now() < deadline; ) {
    const found = await look()
    if (found) return found
    await sleep(20)
  }
  throw new Error(`Waited in vain for ${what}`)
}
