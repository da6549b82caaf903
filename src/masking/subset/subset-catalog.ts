import type { Session } from '../../database/connection/session.ts'
import { chosenRelations, type Selection } from '../../database/selection.ts'

/** A table, a partitioned table or a partition. */
export type CatalogRelation = {
  oid: string
  schema: string
  name: string
  /** The partitioned table that it belongs to, or null. */
  parent: string | null
  /** Whether it has rows, which a partitioned table has not. */
  holdsRows: boolean
  /** Whether it exists in the restored database. */
  chosen: boolean
  bytes: number
}

/** Two columns that are compared, and how: the key is the left operand, as in `conpfeqop`. */
export type ComparedColumns = {
  column: string
  key: string
  operator: string
  /** What follows each of the columns: a cast, a collation. */
  columnSuffix: string
  keySuffix: string
}

/** A foreign key between relations as they were declared, which may be partitions. */
export type DeclaredKey = {
  name: string
  from: string
  to: string
  full: boolean
  /** Whether every row of the source satisfies it. */
  validated: boolean
  /** Whether several rows together are referenced (`PERIOD`, since PostgreSQL 18). */
  period: boolean
  /** A cast of a user that the comparison would call. */
  foreignCast: string | null
  columns: ComparedColumns[]
}

/** Reads all tables of users, and partitions with the table above them. */
export function readRelations(session: Session, selection: Selection): Promise<CatalogRelation[]> {
  return session.query(`
    SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, i.inhparent::text AS parent,
           c.relkind = 'r' AS "holdsRows", chosen.oid IS NOT NULL AS chosen,
           CASE WHEN chosen.oid IS NOT NULL THEN coalesce(pg_table_size(c.oid), 0) ELSE 0 END AS bytes
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid AND c.relispartition
      LEFT JOIN (${chosenRelations(selection)}) AS chosen ON chosen.oid = c.oid
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY n.nspname, c.relname`)
}

/** A type with its schema, which no search_path changes. */
const typeName = (type: string) => `(SELECT format('%I.%I', n.nspname, t.typname)
  FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace WHERE t.oid = ${type})`

/**
 * Returns an SQL expression for a cast to the operand of an operator, as in ri_GenerateQual (ri_triggers.c). With exact types,
 * no operator that a user created for similar types can be chosen.
 */
const castTo = (
  operand: string,
  type: string,
) => `(SELECT CASE WHEN e.typtype = 'p' OR e.oid = ${type} THEN ''
  ELSE '::' || ${typeName('e.oid')} END FROM pg_type AS e WHERE e.oid = ${operand})`

/** Reads the foreign keys. Those of partitions that come from the table above them are left out. */
export function readKeys(session: Session): Promise<DeclaredKey[]> {
  return session.query(`
    SELECT k.conname AS name, k.conrelid::text AS from, k.confrelid::text AS to, k.confmatchtype = 'f' AS full,
           k.convalidated AS validated, coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) AS period,
           (SELECT min(f.oid::regprocedure::text) FROM unnest(k.conkey, k.conpfeqop) AS u (number, operator)
              JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.number
              JOIN pg_operator AS o ON o.oid = u.operator
              JOIN pg_cast AS c ON c.castsource = a.atttypid AND c.casttarget = o.oprright
              JOIN pg_proc AS f ON f.oid = c.castfunc JOIN pg_language AS l ON l.oid = f.prolang
            WHERE l.lanname NOT IN ('internal', 'c')) AS "foreignCast",
           (SELECT json_agg(json_build_object('column', a.attname, 'key', x.attname,
                     'operator', CASE WHEN l.period AND u.i = cardinality(k.conkey) THEN 'OPERATOR(pg_catalog.&&)'
                                 ELSE format('OPERATOR(%I.%s)', n.nspname, o.oprname) END,
                     'columnSuffix', ${castTo('o.oprright', 'a.atttypid')} || l.collation,
                     'keySuffix', ${castTo('o.oprleft', 'x.atttypid')} || l.collation) ORDER BY u.i)
            FROM unnest(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY AS u (number, key, operator, i)
              JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.number
              JOIN pg_attribute AS x ON x.attrelid = k.confrelid AND x.attnum = u.key
              JOIN pg_operator AS o ON o.oid = u.operator JOIN pg_namespace AS n ON n.oid = o.oprnamespace,
              LATERAL (SELECT coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) AS period,
                         ${collationOf('a', 'x')} AS collation) AS l) AS columns
    FROM pg_constraint AS k WHERE k.contype = 'f' AND coalesce(to_jsonb(k) ->> 'conparentid', '0') = '0'
    ORDER BY k.conrelid::regclass::text, k.conname`)
}

/** Two columns with different collations are compared with that of the key, as a foreign key does. */
function collationOf(column: string, key: string): string {
  return `CASE WHEN ${column}.attcollation = ${key}.attcollation OR ${key}.attcollation = 0 THEN '' ELSE
    (SELECT format(' COLLATE %I.%I', n.nspname, c.collname) FROM pg_collation AS c
       JOIN pg_namespace AS n ON n.oid = c.collnamespace WHERE c.oid = ${key}.attcollation) END`
}

/** The two columns of a reference in the mask file, by the OIDs of their tables. */
export type ColumnPair = { from: string; column: string; to: string; key: string }

/**
 * Reads how the columns of references are compared: values of one type with the operator of its index, numbers with numbers,
 * and all others as text, which is how some frameworks store keys of several tables in one column.
 *
 * @returns for each pair how, or the names of its types if they cannot be compared
 */
export function readComparisons(
  session: Session,
  pairs: readonly ColumnPair[],
): Promise<(ComparedColumns & { types: string | null })[]> {
  const rows = pairs.map(
    ({ from, column, to, key }, i) => `(${i}, ${from}::oid, ${text(column)}, ${to}::oid, ${text(key)})`,
  )
  const base = (type: string) => `(WITH RECURSIVE chain AS (
      SELECT oid, typbasetype, typtype FROM pg_type WHERE oid = ${type}
      UNION ALL SELECT t.oid, t.typbasetype, t.typtype FROM chain JOIN pg_type AS t ON t.oid = chain.typbasetype AND chain.typtype = 'd')
    SELECT oid FROM chain WHERE typtype <> 'd')`
  return session.query(`
    SELECT p.column, p.key, coalesce(own.operator, 'OPERATOR(pg_catalog.=)') AS operator,
           how.suffix || coalesce(own.collation, '') AS "columnSuffix", how.suffix || coalesce(own.collation, '') AS "keySuffix",
           CASE WHEN how.suffix <> '' AND (a.type >= 16384 OR x.type >= 16384)
                THEN format_type(a.type, NULL) || ' and ' || format_type(x.type, NULL) END AS types
    FROM (VALUES ${rows.join(', ')}) AS p (i, "from", "column", "to", key)
      JOIN LATERAL (SELECT f.attcollation, ${base('f.atttypid')} AS type FROM pg_attribute AS f
                    WHERE f.attrelid = p."from" AND f.attname = p."column") AS a ON true
      JOIN LATERAL (SELECT f.attcollation, ${base('f.atttypid')} AS type FROM pg_attribute AS f
                    WHERE f.attrelid = p."to" AND f.attname = p.key) AS x ON true
      JOIN pg_type AS at ON at.oid = a.type JOIN pg_type AS xt ON xt.oid = x.type,
      LATERAL (SELECT CASE WHEN a.type = x.type OR (at.typcategory = 'N' AND xt.typcategory = 'N' AND a.type < 16384 AND x.type < 16384)
                      THEN '' ELSE '::pg_catalog.text COLLATE pg_catalog."C"' END AS suffix) AS how
      LEFT JOIN LATERAL (
        SELECT (SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname) FROM pg_opclass AS c
                  JOIN pg_amop AS m ON m.amopfamily = c.opcfamily AND m.amopstrategy = 3
                    AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
                  JOIN pg_operator AS o ON o.oid = m.amopopr JOIN pg_namespace AS n ON n.oid = o.oprnamespace
                WHERE c.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'btree') AND c.opcdefault AND c.opcintype = a.type) AS operator,
               ${collationOf('a', 'x')} AS collation) AS own ON how.suffix = ''
    ORDER BY p.i`)
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'::text`
}

/** Why temporary tables cannot be created, or null. */
export async function temporaryTablesProblem(session: Session): Promise<string | null> {
  const [row] = await session.query<{ standby: boolean; allowed: boolean; role: string; database: string }>(`
    SELECT pg_is_in_recovery() AS standby, has_database_privilege(current_database(), 'TEMPORARY') AS allowed,
           quote_ident(current_user) AS role, quote_ident(current_database()) AS database`)
  const { standby, allowed, role, database } = row!
  if (standby) return 'the server is a standby, which cannot have them; use the URL of its primary'
  return allowed
    ? null
    : `the role may not create them; run GRANT TEMPORARY ON DATABASE ${database} TO ${role}`
}
