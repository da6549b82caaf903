import type { Session } from './connection/session.ts'

/** Extensions whose functions in C run a query that they get as text. */
const RUN_QUERIES = `('tablefunc', 'dblink', 'xml2')`

/**
 * Where functions are used that may read tables, directly or as an operator. pg_dump does not know which tables these are.
 * Functions of the server do not read tables, and those of extensions in C hardly do; functions in SQL may even if they
 * are called IMMUTABLE, because the server does not check that.
 */
const USES = `
  WITH functions AS (
    SELECT p.oid, p.oid::regprocedure::text AS name
    FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
      LEFT JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
      LEFT JOIN pg_extension AS e ON e.oid = d.refobjid
    WHERE p.oid >= 16384
      AND (l.lanname NOT IN ('internal', 'c') OR e.extname IS NULL OR e.extname IN ${RUN_QUERIES}
           OR EXISTS (SELECT FROM pg_aggregate AS a WHERE a.aggfnoid = p.oid))),
  uses AS (
    SELECT d.classid, d.objid, f.name
    FROM (SELECT 'pg_proc'::regclass AS class, oid, name FROM functions
          UNION ALL
          SELECT 'pg_operator'::regclass, o.oid, functions.name
          FROM pg_operator AS o JOIN functions ON functions.oid = o.oprcode) AS f
      JOIN pg_depend AS d ON d.refclassid = f.class AND d.refobjid = f.oid)`

/**
 * Returns why the data must be loaded in the order of pg_dump, in one session: a row is checked, computed or routed by a
 * function that may read tables, which have to be filled by then. Null if no row is. A constraint that is not valid is added
 * after the data, tables of extensions are always loaded together, and domains of extensions hardly read the user's tables.
 */
export function whyDataIsOrdered(session: Session): Promise<string | null> {
  return firstUse(
    session,
    `
    SELECT 'constraint ' || quote_ident(k.conname) || ' of '
             || CASE k.contypid WHEN 0 THEN k.conrelid::regclass::text ELSE k.contypid::regtype::text END AS object, name
    FROM pg_constraint AS k JOIN uses ON classid = 'pg_constraint'::regclass AND objid = k.oid
    WHERE k.contype = 'c' AND k.convalidated
      AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE (d.classid, d.objid) IN (('pg_class'::regclass, k.conrelid), ('pg_type'::regclass, k.contypid)) AND d.deptype = 'e')
    UNION ALL
    SELECT 'generated column ' || quote_ident(a.attname) || ' of ' || a.attrelid::regclass::text, name
    FROM pg_attrdef AS d JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
      JOIN uses ON classid = 'pg_attrdef'::regclass AND objid = d.oid
    -- The column exists since PostgreSQL 12.
    WHERE to_jsonb(a) ->> 'attgenerated' = 's'
    UNION ALL
    SELECT 'partition key of ' || c.oid::regclass::text, name
    FROM pg_class AS c JOIN uses ON classid = 'pg_class'::regclass AND objid = c.oid WHERE c.relkind = 'p'`,
  )
}

/**
 * Returns why materialized views must be refreshed one after the other: a query calls a function that may read another one
 * of them. Null if none does, because pg_dump knows what a query itself reads.
 */
export function whyRefreshesAreOrdered(session: Session): Promise<string | null> {
  return firstUse(
    session,
    `
    SELECT CASE c.relkind WHEN 'i' THEN 'index ' WHEN 'm' THEN 'materialized view ' ELSE 'view ' END || c.oid::regclass::text AS object, name
    FROM uses LEFT JOIN pg_rewrite AS r ON classid = 'pg_rewrite'::regclass AND objid = r.oid
      JOIN pg_class AS c ON c.oid = r.ev_class OR classid = 'pg_class'::regclass AND objid = c.oid
      LEFT JOIN pg_index AS i ON i.indexrelid = c.oid LEFT JOIN pg_class AS m ON m.oid = i.indrelid
    WHERE (c.relkind IN ('v', 'm') OR m.relkind = 'm') AND (SELECT count(*) FROM pg_class WHERE relkind = 'm') > 1`,
  )
}

async function firstUse(session: Session, uses: string): Promise<string | null> {
  const [use] = await session.query<{ object: string; name: string }>(
    `${USES} SELECT object, name FROM (${uses}) AS u ORDER BY object, name LIMIT 1`,
  )
  return use ? `${use.object} calls ${use.name}, which may read other tables` : null
}
