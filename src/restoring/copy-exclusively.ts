import { setTimeout as wait } from 'node:timers/promises'
import { endSessions } from '../database/server.ts'
import { copyDatabase, type TemporaryDatabase } from '../database/staging.ts'
import type { Step } from '../step/step.ts'
import type { Target } from './target.ts'

const POLL_INTERVAL_MS = 100

/**
 * Copies the files of a database after ending its sessions, including those of clients that reconnect at once. The server
 * accepts no new session once the copy has begun, and waits five seconds for those that came just before (`createdb` in
 * dbcommands.c); a second session ends them meanwhile.
 */
export async function copyExclusively(
  step: Step,
  { maker, name, properties }: Target,
  from: string,
): Promise<TemporaryDatabase> {
  await using second = await step.maintenance()
  await endSessions(second, from)
  const copied = new AbortController()
  const ending = endUntil(copied.signal, () => endSessions(second, from))
  try {
    return await copyDatabase(maker, from, name, properties?.tablespace ?? null)
  } finally {
    copied.abort()
    await ending
  }
}

/** Ignores errors: if sessions remain, CREATE DATABASE itself fails and reports it. */
async function endUntil(signal: AbortSignal, end: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await wait(POLL_INTERVAL_MS, undefined, { signal })
      .then(end)
      .catch(() => undefined)
  }
}
