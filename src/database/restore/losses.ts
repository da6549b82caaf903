import type { TocEntry } from '../../archive/archive.ts'
import { identifier, literal, type Session } from '../connection/session.ts'

/** Something in a database that goes with an object which a restore in place replaces. */
type Part = {
  /** Kind and name as `pg_dump` writes them in the table of contents (`ArchiveEntry` in pg_dump.c). */
  desc: string
  schema: string
  tag: string
  /** The table whose definition may contain the part, for columns and checks. */
  inside: string | null
  /** Roles that lose their rights with it. */
  roles: string[] | null
}

const RELATION = /^(?:TABLE|FOREIGN TABLE|VIEW|MATERIALIZED VIEW|SEQUENCE)$/

/**
 * Returns what a restore in place would take away although the dump does not have it, each as kind and name: what
 * `DROP TABLE` drops with a table (automatic dependencies), and the grants of what is replaced. What stands in the way of
 * the drop instead, such as a view on the table, is an error of the server.
 *
 * @param entries those that are restored
 */
export async function findLosses(
  session: Session,
  entries: readonly TocEntry[],
  { ownerAndAcl }: { ownerAndAcl: boolean },
): Promise<string[]> {
  const parts = await session.query<Part>(partsQuery(entries, ownerAndAcl))
  const wanted = ownerAndAcl ? entries : entries.filter(({ desc }) => desc !== 'ACL')
  const dumped = new Set(wanted.map(({ desc, namespace, tag }) => keyOf(desc, namespace, tag)))
  const tables = new Map(
    entries
      .filter(({ desc }) => RELATION.test(desc))
      .map((entry) => [keyOf('', entry.namespace, entry.tag), entry]),
  )
  return parts
    .filter((part) => !dumped.has(keyOf(part.desc, part.schema, part.tag)))
    .filter((part) => !isInside(part, tables.get(keyOf('', part.schema, part.inside ?? ''))))
    .map(describe)
    .sort()
}

/** Tags contain names as they are or as identifiers, depending on the kind. */
function keyOf(desc: string, schema: string, tag: string): string {
  return JSON.stringify([desc, schema, tag.replaceAll('"', '')])
}

function describe({ desc, schema, tag, roles }: Part): string {
  const whose = roles && roles.length > 0 ? ` (rights of ${roles.join(', ')})` : ''
  return `${desc} ${schema}.${tag}${whose}`
}

/** Whether a column or check is part of the definition of its table (`dumpTableSchema` in pg_dump.c). */
function isInside({ desc, tag, inside }: Part, table: TocEntry | undefined): boolean {
  if (inside === null || !table) return false
  const name = tag.slice(inside.length + 1)
  const forms = [name, identifier(name)]
  const { definition } = table
  // A table of a type has its columns from there.
  if (desc === 'COLUMN' && / OF [^\n]*(?:\(|;)/.test(definition.split('\n')[0]!)) return true
  return forms.some((form) =>
    definition.includes(desc === 'COLUMN' ? `\n    ${form} ` : `CONSTRAINT ${form} CHECK`),
  )
}

/** The roles that were granted something, and the owner if the restoring role will be that. */
function rolesOf(acl: string, owner: string, ownerAndAcl: boolean): string {
  const newOwner = ownerAndAcl
    ? ''
    : `UNION ALL SELECT pg_get_userbyid(${owner})::text WHERE pg_get_userbyid(${owner}) <> current_user`
  return `
  (SELECT json_agg(DISTINCT role) FROM (
     SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END::text AS role
     FROM aclexplode(${acl}) AS a WHERE a.grantee <> ${owner}
     ${newOwner}) AS g)`
}

/** The query lists everything that `findLosses` compares with the dump. */
function partsQuery(entries: readonly TocEntry[], ownerAndAcl: boolean): string {
  const names = (kind: RegExp) =>
    literal(
      JSON.stringify(
        entries
          .filter(({ desc }) => kind.test(desc))
          .map(({ namespace, tag }) => ({ schema: namespace, name: tag })),
      ),
    )
  return `
    WITH replaced AS (
      SELECT c.oid, c.relkind, c.relispartition, c.relrowsecurity, c.relacl, c.relowner,
             n.nspname::text AS schema, c.relname::text AS name
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN json_to_recordset(${names(RELATION)}) AS d(schema text, name text) ON d.schema = n.nspname AND d.name = c.relname
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')),
    functions AS (
      SELECT p.proacl, p.proowner, n.nspname::text AS schema, p.proname || '(' || (
          SELECT coalesce(string_agg(format_type(t.type, NULL), ', ' ORDER BY t.position), '')
          FROM unnest(p.proargtypes) WITH ORDINALITY AS t(type, position)) || ')' AS signature
      FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace)
    ${[...PARTS, ...grants(ownerAndAcl)].join('\nUNION ALL\n')}
    UNION ALL
    SELECT 'PUBLICATION TABLE', n.nspname, p.pubname || ' ' || c.relname, NULL, NULL
    FROM pg_publication_rel AS x JOIN pg_publication AS p ON p.oid = x.prpubid
    JOIN pg_class AS c ON c.oid = x.prrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE x.prrelid IN (SELECT oid FROM replaced) OR p.pubname IN (
      SELECT name FROM json_to_recordset(${names(/^PUBLICATION$/)}) AS d(name text))
    UNION ALL
    SELECT 'ACL', f.schema, 'FUNCTION ' || f.signature, NULL, ${rolesOf('f.proacl', 'f.proowner', ownerAndAcl)}
    FROM functions AS f
    JOIN json_to_recordset(${names(/^FUNCTION$/)}) AS d(schema text, name text)
      ON d.schema = f.schema AND d.name = f.signature
    WHERE f.proacl IS NOT NULL`
}

/** What is dropped with a relation of the list `replaced`. */
const PARTS = [
  // A partition that the dump does not have.
  `SELECT 'TABLE' AS desc, n.nspname::text AS schema, c.relname::text AS tag, NULL::text AS inside, NULL::json AS roles
   FROM pg_inherits AS i JOIN replaced AS r ON r.oid = i.inhparent
   JOIN pg_class AS c ON c.oid = i.inhrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
   WHERE c.relispartition AND c.relkind IN ('r', 'p', 'f') AND c.oid NOT IN (SELECT oid FROM replaced)`,
  `SELECT 'COLUMN', r.schema, r.name || '.' || a.attname, r.name, NULL
   FROM replaced AS r JOIN pg_attribute AS a ON a.attrelid = r.oid
   WHERE r.relkind IN ('r', 'p', 'f') AND NOT r.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND a.attislocal`,
  // The index of a partition goes with that of its parent, and that of a constraint with the constraint.
  `SELECT 'INDEX', r.schema, c.relname, NULL, NULL
   FROM replaced AS r JOIN pg_index AS i ON i.indrelid = r.oid JOIN pg_class AS c ON c.oid = i.indexrelid
   WHERE i.indexrelid NOT IN (SELECT conindid FROM pg_constraint WHERE contype IN ('p', 'u', 'x'))
     AND i.indexrelid NOT IN (SELECT inhrelid FROM pg_inherits)`,
  `SELECT CASE k.contype WHEN 'f' THEN 'FK CONSTRAINT' WHEN 'c' THEN 'CHECK CONSTRAINT' ELSE 'CONSTRAINT' END,
     r.schema, r.name || ' ' || k.conname, r.name, NULL
   FROM replaced AS r JOIN pg_constraint AS k ON k.conrelid = r.oid
   WHERE k.contype IN ('p', 'u', 'x', 'f', 'c') AND k.coninhcount = 0`,
  `SELECT 'TRIGGER', r.schema, r.name || ' ' || t.tgname, NULL, NULL
   FROM replaced AS r JOIN pg_trigger AS t ON t.tgrelid = r.oid
   WHERE NOT t.tgisinternal AND coalesce(to_jsonb(t) ->> 'tgparentid', '0') = '0'`,
  `SELECT 'POLICY', r.schema, r.name || ' ' || p.polname, NULL, NULL
   FROM replaced AS r JOIN pg_policy AS p ON p.polrelid = r.oid`,
  `SELECT 'ROW SECURITY', r.schema, r.name, NULL, NULL FROM replaced AS r WHERE r.relrowsecurity`,
  `SELECT 'RULE', r.schema, r.name || ' ' || w.rulename, NULL, NULL
   FROM replaced AS r JOIN pg_rewrite AS w ON w.ev_class = r.oid WHERE w.rulename <> '_RETURN'`,
  `SELECT 'STATISTICS', n.nspname, s.stxname, NULL, NULL
   FROM replaced AS r JOIN pg_statistic_ext AS s ON s.stxrelid = r.oid JOIN pg_namespace AS n ON n.oid = s.stxnamespace`,
  `SELECT 'SEQUENCE', n.nspname, c.relname, NULL, NULL
   FROM replaced AS r JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid AND d.deptype = 'a'
   JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind = 'S'
   JOIN pg_namespace AS n ON n.oid = c.relnamespace`,
  `SELECT 'COMMENT', r.schema, CASE WHEN d.objsubid > 0 THEN 'COLUMN ' || r.name || '.' || a.attname
     ELSE CASE r.relkind WHEN 'v' THEN 'VIEW ' WHEN 'm' THEN 'MATERIALIZED VIEW ' WHEN 'f' THEN 'FOREIGN TABLE '
       WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || r.name END, NULL, NULL
   FROM replaced AS r JOIN pg_description AS d ON d.objoid = r.oid AND d.classoid = 'pg_class'::regclass
   LEFT JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum = d.objsubid`,
  `SELECT 'SUBSCRIPTION TABLE', r.schema, r.name, NULL, NULL
   FROM replaced AS r JOIN pg_subscription_rel AS x ON x.srrelid = r.oid`,
]

/** The rights on a relation of the list `replaced` and on its columns. */
const grants = (ownerAndAcl: boolean) => [
  `SELECT * FROM (
     SELECT 'ACL', r.schema, CASE r.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || r.name, NULL::text, ${rolesOf('r.relacl', 'r.relowner', ownerAndAcl)} AS roles
     FROM replaced AS r) AS g WHERE roles IS NOT NULL`,
  `SELECT * FROM (
     SELECT 'ACL', r.schema, 'COLUMN ' || r.name || '.' || a.attname, NULL::text, ${rolesOf('a.attacl', 'r.relowner', true)} AS roles
     FROM replaced AS r JOIN pg_attribute AS a ON a.attrelid = r.oid
     WHERE a.attacl IS NOT NULL) AS g WHERE roles IS NOT NULL`,
]
