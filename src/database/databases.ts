import type { Session } from './connection/session.ts'
import { type Marker, parseMarker } from './marker.ts'

/** A database of a server. */
export type DatabaseRow = {
  name: string
  /** No later database of the same name has it. */
  oid: string
  owner: string
  /** In bytes; null when the role may not read it, or when it was not asked for. */
  size: number | null
  comment: string | null
  allowsConnections: boolean
  isTemplate: boolean
  sessions: number
  /** Null when this action did not make the database. */
  marker: Marker | null
}

/**
 * Returns every database of the server except template0, by name.
 *
 * @param options.sizes whether to measure them, for which the server looks at each of their files
 */
export async function readDatabases(session: Session, { sizes = false } = {}): Promise<DatabaseRow[]> {
  const size = `CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) END`
  const rows = await session.query<Omit<DatabaseRow, 'marker'>>(`
    SELECT d.datname AS name, d.oid::text AS oid, pg_get_userbyid(d.datdba) AS owner, ${sizes ? size : 'NULL::bigint'} AS size,
           shobj_description(d.oid, 'pg_database') AS comment, d.datallowconn AS "allowsConnections",
           d.datistemplate AS "isTemplate",
           (SELECT count(*) FROM pg_stat_activity AS a WHERE a.datid = d.oid AND a.usesysid IS NOT NULL AND a.pid <> pg_backend_pid()) AS sessions
    FROM pg_database AS d WHERE d.datname <> 'template0' ORDER BY d.datname`)
  return rows.map((row) => ({ ...row, marker: parseMarker(row.comment) }))
}
