import { type Connection, onDatabase } from '../database/connection/connection.ts'
import { literal, type Session } from '../database/connection/session.ts'
import { findContent, findTable } from '../database/contents.ts'
import { readDatabases } from '../database/databases.ts'
import { parseMarker } from '../database/marker.ts'
import { relatedName } from '../database/names.ts'
import { isClone, isPoint, isPointOf, POINTS } from '../database/ownership.ts'
import type { Properties } from '../database/properties.ts'
import { findUnusable } from '../database/restore/tablespaces.ts'
import type { Server } from '../database/server.ts'
import { messageOf } from '../errors.ts'
import { matchesGlob } from '../glob.ts'
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
  return (
    matchesGlob(database, databasePattern) &&
    (hosts.length > 0 ? hosts : ['']).some((host) => matchesGlob(host, hostPattern))
  )
}

/** Splits at the last slash, because a socket's folder contains slashes. A pattern without a slash means any host. */
function splitPattern(pattern: string): [string, string] {
  const slash = pattern.lastIndexOf('/')
  return slash < 0 ? ['*', pattern] : [pattern.slice(0, slash), pattern.slice(slash + 1)]
}

type Protection = Pick<Inputs, 'protectedDatabases'>

function protectingPattern({ protectedDatabases }: Protection, connection: Connection): string | undefined {
  return protectedDatabases.find((candidate) => isProtected(candidate, connection))
}

/** Returns why a database must not be written, or null. */
export function protectionOf(inputs: Protection, connection: Connection): string | null {
  const pattern = protectingPattern(inputs, connection)
  if (pattern !== undefined) return `is protected by the pattern ${pattern} of protected-databases`
  return SYSTEM_DATABASES.includes(connection.database) ? 'belongs to the server itself' : null
}

/** Refuses a database that must not be written. */
export function checkProtected(inputs: Protection & Pick<Inputs, 'command'>, connection: Connection): void {
  const pattern = protectingPattern(inputs, connection)
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

/** Refuses to replace a database that is protected, or that is not a restore point of the target, by a new one. */
export async function checkPoints(
  inputs: Inputs,
  connection: Connection,
  session: Session,
  server: Server,
): Promise<void> {
  const databases = await readDatabases(session)
  for (const suffix of POINTS) {
    const name = relatedName(connection.database, suffix)
    const point = databases.find((database) => database.name === name)
    checkProtected(inputs, onDatabase(connection, name))
    if (!point) continue
    await checkOwner(session, server, point)
    if (isPointOf(point, connection.database)) continue
    throw new Error(
      `"${name}" is where reversible keeps a restore point, and it is not a restore point of "${connection.database}"; rename or drop it, or set reversible: false`,
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
  if (properties) await checkTablespace(session, server, properties.tablespace)
  if (properties) await checkOwner(session, server, { name, owner: properties.owner })
}

/** The new database is created in the tablespace of the old one. The default tablespace of the server needs no right. */
async function checkTablespace(session: Session, { role }: Server, tablespace: string): Promise<void> {
  if (tablespace === 'pg_default' || (await findUnusable(session, [tablespace], null)).length === 0) return
  throw new Error(
    `The role "${role}" may not create a database in the tablespace "${tablespace}" of the target; GRANT CREATE ON TABLESPACE "${tablespace}" to it`,
  )
}

/** Only the owner of a database, a member of that role or a superuser may rename and drop it. */
async function checkOwner(
  session: Session,
  server: Server,
  { name, owner }: { name: string; owner: string },
): Promise<void> {
  if (server.superuser) return
  const [row] = await session.query<{ owns: boolean }>(
    `SELECT pg_has_role(current_user, ${literal(owner)}, 'USAGE') AS owns`,
  )
  if (row!.owns) return
  throw new Error(
    `The role "${server.role}" does not own "${name}", so it cannot replace it; connect as "${owner}" or grant that role to "${server.role}"`,
  )
}

/** Whether the database that replaces a target gets a marker: if there was none before, or if the old one was a clone. */
export function isMarkable(name: string, properties: Properties | null): boolean {
  return properties === null || isClone({ name, marker: parseMarker(properties.comment) })
}

/** Refuses `expires-after` where it could not be written, because the target keeps its comment and gets no marker. */
export function checkExpiry({ expiresAfter }: Inputs, name: string, properties: Properties | null): void {
  if (expiresAfter === null || isMarkable(name, properties)) return
  throw new Error(
    `expires-after cannot be kept, because "${name}" exists and was not made by this action, so the new database gets no mark and is never dropped by a sweep; remove expires-after, or drop "${name}" first`,
  )
}

/** Refuses to replace a database that is not empty and was not made by this action, unless `overwrite` allows it. */
export async function checkOverwrite(
  step: Step,
  { major }: Server,
  properties: Properties | null,
): Promise<void> {
  const name = step.target.database
  const marker = parseMarker(properties?.comment ?? null)
  if (marker?.kind === 'template')
    throw new Error(`"${name}" is a template of instant previews; database-url must name another database`)
  if (!properties || step.inputs.overwrite || isClone({ name, marker })) return
  if (isPoint({ name, marker }))
    throw new Error(
      `"${name}" is a restore point of "${marker?.of}"; set overwrite: true to replace it all the same`,
    )
  const content = properties.allowsConnections ? await contentOf(step, major) : 'no connections allowed'
  if (content === null) return
  throw new Error(
    `"${name}" exists, is not empty and was not made by this action; set overwrite: true to replace it (it has: ${content})`,
  )
}

/** Returns something that the target has, and null if it is empty: then `pg_dump` would dump nothing of it. */
async function contentOf(step: Step, serverMajor: number): Promise<string | null> {
  const { target, environment, inputs } = step
  await using session = await step.session(target)
  const table = await findTable(session)
  if (table) return table
  try {
    const client = await step.client({ serverMajor, purpose: 'dump' })
    const { lockWaitTimeout } = inputs
    const content = await findContent(target, client, { environment, lockWaitTimeout })
    if (content === null) log.debug('The target exists and is empty')
    return content
  } catch (error) {
    step.signal.throwIfAborted()
    throw new Error(
      `Cannot tell whether "${target.database}" is empty; set overwrite: true if it may be replaced: ${messageOf(error)}`,
      { cause: error },
    )
  }
}
