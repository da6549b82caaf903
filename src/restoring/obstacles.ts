import { literal, type Session } from '../database/connection/session.ts'
import { log } from '../report/log.ts'

type Obstacles = { name: string; subscriptions: string[]; prepared: string[]; slots: string[] }

/**
 * Refuses to begin if a database could not be renamed or dropped at the end (`RenameDatabase` and `dropdb` in
 * dbcommands.c), and warns of what ends with it. The swap itself ends sessions and takes care of templates.
 *
 * @param names the target and its restore points, as far as they exist
 */
export async function checkObstacles(session: Session, names: readonly string[]): Promise<void> {
  const list = (column: string, from: string) => `(SELECT coalesce(json_agg(${column}), '[]') FROM ${from})`
  const rows = await session.query<Obstacles>(`
    SELECT d.datname AS name, ${list('subname', 'pg_subscription WHERE subdbid = d.oid')} AS subscriptions,
           ${list('gid', 'pg_prepared_xacts WHERE database = d.datname')} AS prepared,
           ${list('slot_name', 'pg_replication_slots WHERE database = d.datname')} AS slots
    FROM pg_database AS d WHERE d.datname IN (${names.map(literal).join(', ')})`)
  for (const { name, subscriptions, prepared, slots } of rows) {
    if (subscriptions.length > 0)
      throw new Error(
        `"${name}" has the subscription ${quoted(subscriptions)}, so the server would not drop it when it is replaced, and the new database would not have it; drop the subscription first (with SET (slot_name = NONE) its slot stays on the publisher)`,
      )
    if (prepared.length > 0)
      throw new Error(
        `"${name}" has the prepared transaction ${quoted(prepared)}, so it can be neither renamed nor dropped; commit or roll it back first`,
      )
    if (slots.length > 0)
      log.warning(
        `"${name}" has the logical replication slot ${quoted(slots)}, which belongs to the old database: its consumers do not see the new one, and the slot is dropped with the old one`,
      )
  }
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ')
}
