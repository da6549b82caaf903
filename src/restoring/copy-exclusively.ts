import { setTimeout as wait } from 'node:timers/promises'
import { endSessions, openMaintenance } from '../database/server.ts'
import { copyDatabase, type TemporaryDatabase } from '../database/staging.ts'
import type { Context } from '../step/context.ts'
import { connectionOf } from '../step/prepare.ts'
import type { Target } from './replace-database.ts'

const OFTEN = 100

/**
 * A file copy of a database whose sessions are ended, also of clients that come back at once. The server lets nobody new in
 * as soon as the copy has begun, and waits five seconds for those who came between (`createdb` in dbcommands.c); a session
 * of ours in parallel ends them.
 */
export async function copyAlone(
  context: Context,
  { client, maker, name, properties }: Target,
  from: string,
): Promise<TemporaryDatabase> {
  const { environment, inputs } = context
  const options = { psql: client.psql, environment }
  await using second = await openMaintenance(connectionOf(context), inputs.maintenanceDatabase, options)
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

/** Why it fails here, the copy says as well: somebody is still in the database. */
async function endUntil(signal: AbortSignal, end: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await wait(OFTEN, undefined, { signal })
      .then(end)
      .catch(() => undefined)
  }
}
