import type { Session } from './connection/session.ts'
import { chosenRelations, includesEverything, isChosenSchema, oidArray, type Selection } from './selection.ts'

/** An object that the chosen part of the database needs and does not contain. */
export type Need = {
  /** Its catalog, such as `pg_type`. */
  catalog: string
  oid: string
  /** As PostgreSQL describes it, such as `table public.uploads`. */
  object: string
  /** A chosen object that needs it. */
  dependent: string
  /** Patterns: of its schema, of the object if it is a relation, and of the dependent if that is one. */
  schema: string | null
  relation: string | null
  dependentRelation: string | null
}

/** Kinds of objects without a schema, which only a dump without `tables` and `schemas` contains. */
const GLOBAL = `'{pg_extension,pg_language,pg_foreign_data_wrapper,pg_foreign_server,pg_cast,pg_transform,pg_event_trigger,pg_am}'::regclass[]`

/** Kinds of objects that depend on a schema and are not selected by it, or that pg_dump leaves out with their table. */
const NOT_BY_SCHEMA = `'{pg_class,pg_extension,pg_statistic_ext,pg_default_acl,pg_publication_rel}'::regclass[]`

/** Parts of objects, each with the object with which pg_dump dumps it. */
const PARTS = `
  SELECT 'pg_attrdef'::regclass::oid AS classid, oid AS objid, 'pg_class'::regclass::oid AS ownerclass, adrelid AS ownerid FROM pg_attrdef
  UNION ALL SELECT 'pg_rewrite'::regclass, oid, 'pg_class'::regclass, ev_class FROM pg_rewrite
  UNION ALL SELECT 'pg_trigger'::regclass, oid, 'pg_class'::regclass, tgrelid FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT 'pg_policy'::regclass, oid, 'pg_class'::regclass, polrelid FROM pg_policy
  UNION ALL SELECT 'pg_class'::regclass, indexrelid, 'pg_class'::regclass, indrelid FROM pg_index
  UNION ALL SELECT 'pg_class'::regclass, oid, 'pg_type'::regclass, reltype FROM pg_class WHERE relkind = 'c'
  UNION ALL SELECT 'pg_amop'::regclass, oid, 'pg_opfamily'::regclass, amopfamily FROM pg_amop
  UNION ALL SELECT 'pg_amproc'::regclass, oid, 'pg_opfamily'::regclass, amprocfamily FROM pg_amproc
  -- A foreign key of a partition comes with that of its parent.
  UNION ALL SELECT 'pg_constraint'::regclass, oid, CASE conrelid WHEN 0 THEN 'pg_type'::regclass ELSE 'pg_class'::regclass END,
                   CASE conrelid WHEN 0 THEN contypid ELSE conrelid END
            FROM pg_constraint AS k WHERE contype <> 'f' OR coalesce(to_jsonb(k) ->> 'conparentid', '0') = '0'
  -- The type of the rows of a relation, and arrays of any type.
  UNION ALL SELECT 'pg_type'::regclass, t.oid, 'pg_class'::regclass, c.oid
            FROM pg_type AS t JOIN pg_class AS c ON c.oid = t.typrelid AND c.relkind <> 'c'
  UNION ALL SELECT 'pg_type'::regclass, t.typarray, CASE WHEN c.oid IS NULL THEN 'pg_type'::regclass ELSE 'pg_class'::regclass END,
                   coalesce(c.oid, t.oid)
            FROM pg_type AS t LEFT JOIN pg_class AS c ON c.oid = t.typrelid AND c.relkind <> 'c' WHERE t.typarray <> 0`

/** The first OID of objects that are not part of every database (FirstNormalObjectId in transam.h). */
const FIRST_OWN_OID = 16384

/** Finds what the chosen part needs and does not contain, by the dependencies that the server records. */
export function readNeeds(session: Session, selection: Selection): Promise<Need[]> {
  const { excludeTables, excludeSchemas } = selection.matched
  const everything = includesEverything(selection)
  return session.query<Need>(`
    WITH part AS (${PARTS}),
    member AS (SELECT classid, objid, refobjid AS extension FROM pg_depend WHERE deptype = 'e'),
    chosen AS (${chosenRelations(selection)}),
    relation AS (
      SELECT oid FROM chosen
      -- A sequence goes along with the column that owns it.
      UNION SELECT d.objid FROM pg_depend AS d JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = d.classid AND d.deptype IN ('a', 'i')
              AND d.refobjid IN (SELECT oid FROM chosen)
    ),
    dumped AS (
      SELECT 'pg_class'::regclass::oid AS classid, oid AS objid FROM relation
      UNION SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE ${isChosenSchema(selection, 'oid')}
      UNION SELECT classid, objid FROM (
              SELECT classid, objid FROM pg_depend
              WHERE refclassid = 'pg_namespace'::regclass AND deptype = 'n' AND classid <> ALL (${NOT_BY_SCHEMA})
                AND ${isChosenSchema(selection, 'refobjid')}
              UNION SELECT classid, objid FROM pg_depend WHERE ${everything} AND classid = ANY (${GLOBAL})
              EXCEPT SELECT classid, objid FROM member
            ) AS others
    ),
    edge AS (
      SELECT coalesce(a.ownerclass, d.classid) AS classid, coalesce(a.ownerid, d.objid) AS objid,
             coalesce(b.ownerclass, d.refclassid) AS refclassid, coalesce(b.ownerid, d.refobjid) AS refobjid
      FROM pg_depend AS d
      LEFT JOIN part AS a ON a.classid = d.classid AND a.objid = d.objid
      LEFT JOIN part AS b ON b.classid = d.refclassid AND b.objid = d.refobjid
      WHERE d.deptype NOT IN ('p', 'e')
        AND NOT (d.deptype IN ('a', 'i') AND d.classid = 'pg_class'::regclass
                 AND EXISTS (SELECT FROM pg_class AS s WHERE s.oid = d.objid AND s.relkind = 'S'))
      -- A partitioned table without its partitions would lose their rows, unless a filter names them.
      UNION SELECT 'pg_class'::regclass, i.inhparent, 'pg_class'::regclass, c.oid
      FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition AND c.relkind <> 'I'
      WHERE c.oid <> ALL (${oidArray(excludeTables)}) AND c.relnamespace <> ALL (${oidArray(excludeSchemas)})
    ),
    need AS (
      SELECT CASE WHEN m.extension IS NULL THEN e.refclassid ELSE 'pg_extension'::regclass END AS classid,
             coalesce(m.extension, e.refobjid) AS objid, e.classid AS byclass, e.objid AS byid
      FROM edge AS e JOIN dumped AS o ON o.classid = e.classid AND o.objid = e.objid
      LEFT JOIN member AS m ON m.classid = e.refclassid AND m.objid = e.refobjid
    ),
    missing AS (
      SELECT DISTINCT n.* FROM need AS n
      LEFT JOIN dumped AS o ON o.classid = n.classid AND o.objid = n.objid
      WHERE o.objid IS NULL AND n.objid >= ${FIRST_OWN_OID} AND NOT (${everything} AND n.classid = ANY (${GLOBAL}))
    )
    SELECT m.classid::regclass::text AS catalog, m.objid::text AS oid, pg_describe_object(m.classid, m.objid, 0) AS object,
           pg_describe_object(m.byclass, m.byid, 0) AS dependent, quote_ident(n.nspname) AS schema,
           quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS relation,
           quote_ident(bn.nspname) || '.' || quote_ident(b.relname) AS "dependentRelation"
    FROM missing AS m
    LEFT JOIN pg_class AS c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
    LEFT JOIN pg_depend AS h ON h.classid = m.classid AND h.objid = m.objid AND h.deptype = 'n'
      AND h.refclassid = 'pg_namespace'::regclass
    LEFT JOIN pg_namespace AS n ON n.oid = coalesce(c.relnamespace, h.refobjid)
    LEFT JOIN pg_class AS b ON m.byclass = 'pg_class'::regclass AND b.oid = m.byid
    LEFT JOIN pg_namespace AS bn ON bn.oid = b.relnamespace
    ORDER BY m.classid, m.objid, m.byclass, m.byid`)
}
