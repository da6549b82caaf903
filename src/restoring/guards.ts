import { type Connection, onDatabase } from '../database/connection/connection.ts'
import { literal, type Session } from '../database/connection/session.ts'
import { readDatabases } from '../database/databases.ts'
import { parseMarker } from '../database/marker.ts'
import { relatedName } from '../database/names.ts'
import type { Properties } from '../database/properties.ts'
import type { Server } from '../database/server.ts'
import type { Inputs } from '../inputs/inputs.ts'
import { log } from '../report/log.ts'
import type { Step } from '../step/step.ts'

/** Databases of the server itself, which this action never replaces or drops. */
const SYSTEM_DATABASES = ['postgres', 'template0', 'template1']

/**
 * Whether a pattern of `protected-databases` covers a database. A pattern is `host/database`, and `*` matches any text. If
 * the connection has several hosts, one covered host is enough.
 */
export function isProtected(pattern: string, { variables, database }: Connection): boolean {
  const [hostPattern = '', databasePattern = ''] = splitPattern(pattern)
  const hosts = [variables.PGHOST, variables.PGHOSTADDR].flatMap((list) => list?.split(',') ?? [])
  const matches = (text: string, glob: string) => {
    const source = glob
      .split('*')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')
    return new RegExp(`^${source}$`, 'is').test(text)
  }
  return (
    matches(database, databasePattern) &&
    (hosts.length > 0 ? hosts : ['']).some((host) => matches(host, hostPattern))
  )
}

/** Splits at the last slash, because a socket's folder contains slashes. A pattern without a slash means any host. */
function splitPattern(pattern: string): [string, string] {
  const slash = pattern.lastIndexOf('/')
  return slash < 0 ? ['*', pattern] : [pattern.slice(0, slash), pattern.slice(slash + 1)]
}

/** Refuses a database that must not be written. */
export function checkProtected(
  inputs: Pick<Inputs, 'protectedDatabases' | 'command'>,
  connection: Connection,
): void {
  const pattern = inputs.protectedDatabases.find((candidate) => isProtected(candidate, connection))
  if (pattern !== undefined) {
    throw new Error(
      `"${connection.label}" is protected by the pattern ${pattern} of protected-databases; ${inputs.command} does not touch it. Name another database in database-url`,
    )
  }
  if (SYSTEM_DATABASES.includes(connection.database)) {
    throw new Error(
      `"${connection.database}" belongs to the server itself; name another database in database-url`,
    )
  }
}

/** Refuses to replace databases by restore points if they are protected or were not made by this action. */
export async function checkPoints(inputs: Inputs, connection: Connection, session: Session): Promise<void> {
  const databases = await readDatabases(session)
  for (const suffix of ['pre', 'post']) {
    const name = relatedName(connection.database, suffix)
    const point = databases.find((database) => database.name === name)
    checkProtected(inputs, onDatabase(connection, name))
    if (!point || point.marker || inputs.overwrite) continue
    throw new Error(
      `"${name}" is where reversible keeps a restore point, and it was not made by this action; set overwrite: true to replace it`,
    )
  }
}

/** Checks the rights that the swap needs, so that a lack of them does not show after the long part of the work. */
export async function checkRights(
  session: Session,
  server: Server,
  name: string,
  properties: Properties | null,
): Promise<void> {
  if (!server.createdb) {
    throw new Error(
      `The role "${server.role}" may not create databases (CREATEDB); grant it, or set swap: false to restore in place`,
    )
  }
  if (!properties || server.superuser) return
  const [row] = await session.query<{ owns: boolean }>(
    `SELECT pg_has_role(current_user, ${literal(properties.owner)}, 'USAGE') AS owns`,
  )
  if (!row!.owns) {
    throw new Error(
      `The role "${server.role}" does not own "${name}", so it cannot replace it; connect as "${properties.owner}" or grant that role to "${server.role}"`,
    )
  }
}

/** Refuses to replace a database that is not empty and was not made by this action, unless `overwrite` allows it. */
export async function checkOverwrite(step: Step, properties: Properties | null): Promise<void> {
  const connection = step.target
  const marker = properties && parseMarker(properties.comment)
  if (marker?.kind === 'template')
    throw new Error(
      `"${connection.database}" is a template of instant previews; database-url must name another database`,
    )
  if (!properties || step.inputs.overwrite || marker) return
  if (properties.allowsConnections) {
    await using session = await step.session(connection)
    if (await isEmpty(session)) return
  }
  throw new Error(
    `"${connection.database}" exists, is not empty and was not made by this action; set overwrite: true to replace it`,
  )
}

/** Whether the target has no table, view, sequence, type, function or large object of a user. */
async function isEmpty(session: Session): Promise<boolean> {
  const rows = await session.query(`
    SELECT 1 AS one FROM (
      SELECT 'pg_class'::regclass AS class, oid, relnamespace AS namespace FROM pg_class WHERE relkind NOT IN ('i', 'I')
      UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace FROM pg_type WHERE typtype IN ('d', 'e', 'r')
      UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace FROM pg_proc) AS o
    JOIN pg_namespace AS n ON n.oid = o.namespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
      AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e')
    UNION ALL SELECT 1 FROM pg_largeobject_metadata
    LIMIT 1`)
  if (rows.length === 0) log.debug('The target exists and is empty')
  return rows.length === 0
}
