import type { Session } from './connection/session.ts'

/**
 * Returns how many more sessions the role may open in this database now: by the limits of the role, of the database and of
 * the server, minus the sessions that there are. Superusers have only the last limit.
 */
export async function freeConnections(session: Session): Promise<number> {
  const [row] = await session.query<{ free: number }>(`
    SELECT greatest(0, least(
             max - (SELECT count(*) FROM pg_stat_activity WHERE usesysid IS NOT NULL),
             CASE WHEN NOT rolsuper AND rolconnlimit >= 0
               THEN rolconnlimit - (SELECT count(*) FROM pg_stat_activity WHERE usesysid = r.oid) ELSE max END,
             CASE WHEN NOT rolsuper AND datconnlimit >= 0
               THEN datconnlimit - (SELECT count(*) FROM pg_stat_activity WHERE datid = d.oid) ELSE max END)) AS free
    FROM pg_roles AS r, pg_database AS d,
      (SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                - coalesce(current_setting('reserved_connections', true)::int, 0) AS max) AS server
    WHERE rolname = current_user AND datname = current_database()`)
  return row!.free
}
