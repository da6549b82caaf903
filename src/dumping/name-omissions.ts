import type { Session } from '../database/connection/session.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { formatNames, formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'

/** A log line stays readable up to this many names. */
const MAX_NAMES = 10

type Filters = Pick<Inputs, 'tables' | 'schemas' | 'pgDumpArgs' | 'mask'>

/** Warns about what `pg_dump` leaves out without saying so, and about what not every server can restore. */
export async function nameOmissions(session: Session, inputs: Filters): Promise<void> {
  // The plan of a masked dump says what becomes of large objects, and it has no user mappings.
  if (inputs.mask === '') {
    await nameUserMappings(session)
    await nameLargeObjects(session, inputs)
  }
  await nameHiddenRows(session, inputs)
  await nameLabels(session)
}

/**
 * The view hides options from roles that may not use a mapping, and pg_dump then dumps the mapping without them
 * (`pg_user_mappings` in system_views.sql, `dumpUserMappings` in pg_dump.c).
 */
async function nameUserMappings(session: Session): Promise<void> {
  const mappings = await session.query<{ role: string; server: string }>(`
    SELECT m.usename AS role, m.srvname AS server
    FROM pg_user_mappings AS m JOIN pg_foreign_server AS s ON s.oid = m.srvid
    WHERE m.umoptions IS NULL AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AND NOT CASE
      WHEN m.umuser = 0 THEN pg_has_role(s.srvowner, 'USAGE')
      ELSE m.usename = current_user AND (pg_has_role(s.srvowner, 'USAGE') OR has_server_privilege(s.oid, 'USAGE')) END
    ORDER BY 2, 1`)
  if (mappings.length === 0) return
  const names = mappings.map(({ role, server }) => `"${role}" on server "${server}"`)
  log.warning(
    `The options of the user mappings of ${formatNames(names, MAX_NAMES)} are not in the dump, because this role may not read them; dump as a superuser, or set them again after a restore`,
  )
}

/** A dump of chosen tables or schemas has no large objects, though rows of its tables may refer to them. */
async function nameLargeObjects(session: Session, { tables, schemas, pgDumpArgs }: Filters): Promise<void> {
  const isAsked = pgDumpArgs.some((argument) => /^(?:-b|--blobs|--large-objects)$/.test(argument))
  if (tables.length + schemas.length === 0 || isAsked) return
  const [row] = await session.query<{ count: number }>(
    'SELECT count(*) AS count FROM pg_largeobject_metadata',
  )
  if (row!.count === 0) return
  log.warning(
    `${formatQuantity(row!.count, 'large object')} of the database ${row!.count === 1 ? 'is' : 'are'} not in the dump, because tables or schemas chooses a part of it; add -b to pg-dump-args to dump all large objects`,
  )
}

/** With this option, pg_dump dumps only the rows that policies show to the role. */
async function nameHiddenRows(session: Session, { pgDumpArgs }: Filters): Promise<void> {
  if (!pgDumpArgs.includes('--enable-row-security')) return
  const tables = await session.query<{ label: string }>(`
    SELECT n.nspname || '.' || c.relname AS label FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relrowsecurity AND row_security_active(c.oid) ORDER BY 1`)
  if (tables.length === 0) return
  log.warning(
    `Policies may hide rows of ${formatNames(
      tables.map(({ label }) => label),
      MAX_NAMES,
    )} from this role, and --enable-row-security dumps only those that they show`,
  )
}

/** A label can be restored only where its provider is loaded. */
async function nameLabels(session: Session): Promise<void> {
  const providers = await session.query<{ provider: string }>(
    'SELECT DISTINCT provider FROM pg_seclabel ORDER BY provider',
  )
  if (providers.length === 0) return
  log.warning(
    `The dump has security labels of ${formatNames(
      providers.map(({ provider }) => provider),
      MAX_NAMES,
    )}, which restore only on a server that has loaded that provider`,
  )
}
