/**
 * The search_path of every session. A user of the database may create functions and operators of any name in other
 * schemas, which would run with this role's rights (CVE-2018-1058). In `pg_temp` only relations and types are looked up.
 */
const SEARCH_PATH = 'SET search_path = pg_catalog, pg_temp'

/**
 * The first statements of a session, which override the settings of the role, the database and the server: names resolve
 * safely, values have a fixed format, and no time limit ends a session that waits while it holds a lock. The query leaves
 * out limits that the server does not know yet.
 */
export const PROTECTION = [
  SEARCH_PATH,
  'SET standard_conforming_strings = on',
  'SET client_min_messages = error',
  'SET default_transaction_read_only = off',
  // Without this, rows that a policy hides would count as missing; with it, reading them is an error.
  'SET row_security = off',
  `SET TimeZone = 'UTC'`,
  `SET DateStyle = 'ISO, YMD'`,
  `SET IntervalStyle = 'postgres'`,
  'SET extra_float_digits = 3',
  // Routers drop connections that are idle for minutes.
  'SET tcp_keepalives_idle = 60',
  'SET tcp_keepalives_interval = 10',
  `DO 'BEGIN PERFORM set_config(name, ''0'', false) FROM pg_settings WHERE name IN (
     ''statement_timeout'', ''lock_timeout'', ''idle_in_transaction_session_timeout'', ''idle_session_timeout'', ''transaction_timeout''); END'`,
]
