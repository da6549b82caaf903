import { setTimeout as wait } from 'node:timers/promises'
import { formatNames } from '../report/format.ts'
import { log } from '../report/log.ts'
import type { Session } from './connection/session.ts'

/** What the statistics say about a table. `file` changes when the table is truncated or rewritten. */
type TableState = {
  oid: string
  label: string
  scans: number
  changes: number
  file: string | null
  filled: boolean
}

/** Servers before 15 count in a process of their own, and the counts of an ended session take a moment to get there. */
const STATISTICS_DELAY_MS = 1000

/**
 * Runs a hook and says in the log which tables it changed, and which it only read: a hook that masks personal data but
 * matches no row succeeds like any other. Only meaningful in a database that nobody else uses.
 *
 * @param open opens a session in the database of the hook; none is open while the hook runs
 */
export async function reportChanges(
  what: string,
  open: () => Promise<Session>,
  hook: () => Promise<void>,
): Promise<void> {
  const before = await readTables(open)
  await hook()
  let after = await readTables(open)
  if (changedTables(before, after).length === 0) {
    await wait(STATISTICS_DELAY_MS)
    after = await readTables(open)
  }
  const changed = changedTables(before, after)
  const counted = after.filter(({ filled }) => filled)
  const onlyRead = counted.filter((table) => !changed.includes(table) && wasRead(before, table))
  const unchanged = onlyRead.length === 0 ? '' : `; it read, but changed no row of ${list(onlyRead)}`
  if (changed.length > 0) log.info(`${what} changed ${list(changed)}${unchanged}`)
  else if (counted.length > 0) log.warning(`${what} changed no row of any table${unchanged}`)
}

async function readTables(open: () => Promise<Session>): Promise<TableState[]> {
  await using session = await open()
  return await session.query<TableState>(`
    SELECT s.relid::text AS oid, s.schemaname || '.' || s.relname AS label,
           s.seq_scan + coalesce(s.idx_scan, 0) AS scans, s.n_tup_ins + s.n_tup_upd + s.n_tup_del AS changes,
           pg_relation_filenode(s.relid)::text AS file, pg_relation_size(s.relid) > 0 AS filled
    FROM pg_stat_user_tables AS s ORDER BY 2`)
}

/** Returns the tables that were changed or are new. */
function changedTables(before: readonly TableState[], after: readonly TableState[]): TableState[] {
  return after.filter((table) => {
    const old = before.find(({ oid }) => oid === table.oid)
    return !old || old.changes !== table.changes || old.file !== table.file
  })
}

function wasRead(before: readonly TableState[], { oid, scans }: TableState): boolean {
  return before.some((old) => old.oid === oid && old.scans < scans)
}

/** A log line stays readable up to this many names. */
const MAX_NAMES = 10

function list(tables: readonly TableState[]): string {
  return formatNames(
    tables.map(({ label }) => label),
    MAX_NAMES,
  )
}
