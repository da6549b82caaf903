import { literal, type Session } from './connection/session.ts'

/** Who may do what in a database, apart from what every new database allows. */
export type Rights = {
  /** Roles that own something or were granted something, without superusers, who need no rights. */
  roles: string[]
  /** Functions that not everybody may execute, each with its schema and argument types. */
  guarded: string[]
}

/**
 * Objects of users with owner and grants. Schema `public` and the role `pg_database_owner` are left out, because they are
 * the same in every database; so are the members of extensions.
 */
const OBJECTS = `
  SELECT c.relowner AS owner, c.relacl AS acl FROM pg_class AS c
  WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND ${notOfExtension('c.oid', 'pg_class')}
  UNION ALL
  SELECT c.relowner, a.attacl FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
  WHERE c.oid >= 16384 AND a.attacl IS NOT NULL AND ${notOfExtension('c.oid', 'pg_class')}
  UNION ALL
  SELECT p.proowner, p.proacl FROM pg_proc AS p WHERE p.oid >= 16384 AND ${notOfExtension('p.oid', 'pg_proc')}
  UNION ALL
  SELECT n.nspowner, n.nspacl FROM pg_namespace AS n
  WHERE n.oid >= 16384 AND n.nspname <> 'public' AND n.nspname !~ '^pg_' AND ${notOfExtension('n.oid', 'pg_namespace')}
  UNION ALL
  SELECT l.lomowner, l.lomacl FROM pg_largeobject_metadata AS l`

function notOfExtension(oid: string, catalog: string): string {
  return `NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`
}

/** The roles of the objects. PUBLIC is none of them. */
const ROLES = `
  SELECT DISTINCT g.role AS oid FROM (${OBJECTS}) AS o,
    LATERAL (SELECT o.owner AS role UNION SELECT a.grantee FROM aclexplode(o.acl) AS a) AS g
  WHERE g.role <> 0`

const FUNCTIONS = `
  SELECT p.proacl, n.nspname || '.' || p.proname || '(' || (
      SELECT coalesce(string_agg(format_type(t.type, NULL), ', ' ORDER BY t.position), '')
      FROM unnest(p.proargtypes) WITH ORDINALITY AS t(type, position)) || ')' AS signature
  FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
  WHERE p.oid >= 16384 AND ${notOfExtension('p.oid', 'pg_proc')}`

const FOR_ALL = `(f.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(f.proacl) AS a WHERE a.grantee = 0))`

/** Reads the rights in the database of the session. */
export async function readRights(session: Session): Promise<Rights> {
  const [row] = await session.query<Rights>(`
    SELECT (SELECT coalesce(json_agg(r.rolname ORDER BY r.rolname), '[]')
            FROM (${ROLES}) AS o JOIN pg_roles AS r ON r.oid = o.oid WHERE NOT r.rolsuper) AS roles,
           (SELECT coalesce(json_agg(f.signature ORDER BY f.signature), '[]')
            FROM (${FUNCTIONS}) AS f WHERE NOT ${FOR_ALL}) AS guarded`)
  return row!
}

/**
 * Compares the rights of a former database with those in the database of the session.
 *
 * @returns roles that have no rights here, by themselves or as members of another role, and functions that everybody may
 * execute here
 */
export async function compareRights(session: Session, { roles, guarded }: Rights): Promise<Rights> {
  const list = (names: readonly string[]) => ['NULL', ...names.map(literal)].join(', ')
  const [row] = await session.query<Rights>(`
    WITH present AS MATERIALIZED (${ROLES})
    SELECT (SELECT coalesce(json_agg(r.rolname ORDER BY r.rolname), '[]') FROM pg_roles AS r
            WHERE r.rolname IN (${list(roles)})
              AND NOT EXISTS (SELECT FROM present AS o WHERE pg_has_role(r.oid, o.oid, 'USAGE'))) AS roles,
           (SELECT coalesce(json_agg(f.signature ORDER BY f.signature), '[]')
            FROM (${FUNCTIONS}) AS f WHERE f.signature IN (${list(guarded)}) AND ${FOR_ALL}) AS guarded`)
  return row!
}
