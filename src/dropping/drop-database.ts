import type { Session } from '../database/connection/session.ts'
import type { DatabaseRow } from '../database/databases.ts'
import type { Fate } from '../database/fate.ts'
import { isPointOf } from '../database/ownership.ts'
import { dropDatabase, type Server } from '../database/server.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'

/** A session on the server that holds the locks, and what is known of the server. */
export type Place = { session: Session; server: Server }

/** Returns a database and its restore points. The database is last, so that a killed run can be repeated. */
export function withPoints(databases: readonly DatabaseRow[], name: string): DatabaseRow[] {
  const points = databases.filter((candidate) => isPointOf(candidate, name))
  return [...points, ...databases.filter((candidate) => candidate.name === name)]
}

/** Drops a database with its sessions. A dry run only says so. */
export async function dropOne(
  { dryRun }: Pick<Inputs, 'dryRun'>,
  { session, server }: Place,
  { name, sessions }: DatabaseRow,
  reason: string,
): Promise<Fate> {
  const who = sessions > 0 ? `, with ${formatQuantity(sessions, 'session')} in it` : ''
  if (!dryRun) await dropDatabase(session, server, name)
  log.info(`${dryRun ? 'Would drop' : 'Dropped'} "${name}"${who}: ${reason}`)
  return { name, fate: 'dropped', reason }
}
