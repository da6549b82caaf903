import type { TocEntry } from '../../archive/archive.ts'
import { DatabaseError, identifier, literal, type Session } from '../connection/session.ts'
import type { Server } from '../server.ts'
import { HOUSEKEEPING, PROVIDERS } from './managed-services.ts'
import { policyRoles } from './policies.ts'

/** Facts about the target that decide which entries can be restored: its objects, and the rights of the restoring role. */
export type TargetFacts = {
  server: Pick<Server, 'version' | 'major' | 'role' | 'superuser'>
  /** Encoding of the target database. */
  encoding: string
  /** Extensions that the target database has. */
  installed: ReadonlySet<string>
  /** Extensions that the server offers; null if it cannot list them. */
  available: ReadonlySet<string> | null
  /** Extensions that it offers but refuses to create, each with its reason. */
  refused: ReadonlyMap<string, string>
  /** Schemas of the target database, and whether the role owns them. */
  schemas: ReadonlyMap<string, boolean>
  /** Roles of the server that an entry needs, or that identify its provider. */
  roles: ReadonlySet<string>
  mayCreate: { eventTriggers: boolean; publicationsOfAll: boolean }
}

/**
 * Reads the facts in the database that will receive the dump. Rights that differ between providers are tested by trying,
 * and rolling back.
 */
export async function readFacts(
  session: Session,
  server: TargetFacts['server'],
  entries: readonly TocEntry[],
): Promise<TargetFacts> {
  const wanted = namesOf(entries, 'EXTENSION')
  const [[own], offered] = [await readOwn(session, entries), await readOffered(session, server, wanted)]
  const installed = new Set(own!.installed)
  // A server with a broken extension cannot list any extension, so each is tried.
  const probed = wanted.filter((name) => !installed.has(name) && (offered === null || offered.get(name)))
  const has = (pattern: RegExp) => !server.superuser && entries.some(({ desc }) => pattern.test(desc))
  return {
    server,
    encoding: own!.encoding,
    installed,
    available: offered && new Set(offered.keys()),
    refused: await refusals(session, probed),
    schemas: new Map(own!.schemas.map(({ name, owned }) => [name, owned])),
    roles: new Set(own!.roles),
    mayCreate: {
      eventTriggers: !has(/^EVENT TRIGGER$/) || (await session.tryOut(...EVENT_TRIGGER)) === null,
      publicationsOfAll: !has(/^PUBLICATION/) || (await session.tryOut(PUBLICATION_OF_ALL)) === null,
    },
  }
}

function namesOf(entries: readonly TocEntry[], kind: string): string[] {
  return entries.filter(({ desc }) => desc === kind).map(({ tag }) => tag)
}

type Own = {
  encoding: string
  installed: string[]
  schemas: { name: string; owned: boolean }[]
  roles: string[]
}

function readOwn(session: Session, entries: readonly TocEntry[]): Promise<Own[]> {
  const roles = new Set(entries.flatMap((entry) => rolesOf(entry)))
  const providers = Object.values(PROVIDERS).map((provider) => provider.roles.source)
  return session.query<Own>(`
    SELECT getdatabaseencoding() AS encoding,
           (SELECT coalesce(json_agg(extname), '[]') FROM pg_extension) AS installed,
           (SELECT json_agg(json_build_object('name', nspname, 'owned', pg_has_role(nspowner, 'USAGE')))
            FROM pg_namespace) AS schemas,
           (SELECT coalesce(json_agg(rolname), '[]') FROM pg_roles
            WHERE rolname IN (${['', ...roles].map(literal).join(', ')})
               OR rolname ~ ${literal(providers.join('|'))}) AS roles`)
}

/** Returns the roles that an entry refers to and cannot be restored without. The owner is not one of them. */
export function rolesOf(entry: TocEntry): string[] {
  if (entry.desc === 'POLICY') return policyRoles(entry.definition)
  if (entry.desc === 'USER MAPPING')
    return (
      /^USER MAPPING (.+) SERVER /s
        .exec(entry.tag)
        ?.slice(1)
        .filter((role) => role !== 'public') ?? []
    )
  return []
}

/** Returns the wanted extensions that the server offers, and whether only a try shows that the role may create them. */
async function readOffered(
  session: Session,
  server: TargetFacts['server'],
  wanted: readonly string[],
): Promise<Map<string, boolean> | null> {
  if (wanted.length === 0) return new Map()
  const untrusted = server.major >= 13 ? 'superuser AND NOT trusted' : 'superuser'
  const rows = await session
    .query<{ name: string; untrusted: boolean }>(`
      SELECT name, bool_or(${untrusted}) AS untrusted FROM pg_available_extension_versions
      WHERE name IN (${wanted.map(literal).join(', ')}) GROUP BY name`)
    .catch((error) => {
      if (error instanceof DatabaseError) return null
      throw error
    })
  const mustTry = ({ name, untrusted }: { name: string; untrusted: boolean }) =>
    name in HOUSEKEEPING || (untrusted && !server.superuser)
  return rows && new Map(rows.map((row) => [row.name, mustTry(row)]))
}

async function refusals(session: Session, extensions: readonly string[]): Promise<Map<string, string>> {
  const reasons = new Map<string, string>()
  for (const name of extensions) {
    const reason = await session.tryOut(
      // An extension without its own schema is created in the first schema of the path, which must not be pg_catalog.
      'SET LOCAL search_path TO DEFAULT',
      `CREATE EXTENSION ${identifier(name)} CASCADE`,
    )
    if (reason !== null) reasons.set(name, reason)
  }
  return reasons
}

const EVENT_TRIGGER = [
  `CREATE FUNCTION pg_temp.pgclone_probe() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'`,
  'CREATE EVENT TRIGGER pgclone_probe ON sql_drop EXECUTE PROCEDURE pg_temp.pgclone_probe()',
]
const PUBLICATION_OF_ALL = 'CREATE PUBLICATION pgclone_probe FOR ALL TABLES'
