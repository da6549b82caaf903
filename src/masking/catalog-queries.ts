/**
 * The questions about tables, one query for all tables each, so that thousands of tables take a few seconds. The session's
 * search_path contains only `pg_catalog`, so every name means the server's own.
 */

import {
  chosenRelations,
  includesEverything,
  isChosenSchema,
  oidArray,
  type Selection,
} from '../database/selection.ts'

/**
 * Returns a query for the relations whose rows are dumped: those that the filters choose, and the configuration tables of
 * extensions as `processExtensionTables` in pg_dump.c selects them. A standby has no rows of unlogged tables, and `pg_dump`
 * dumps none there (`main` in pg_dump.c).
 *
 * @param extensions OIDs of the extensions that a dump with filters contains
 */
function dumpedRelations(selection: Selection, extensions: readonly string[]): string {
  const { tables, excludeTables, excludeSchemas, excludeTableData } = selection.matched
  if (selection.contents.schemaOnly)
    return 'SELECT 0::oid AS oid, NULL AS extension, NULL AS condition WHERE false'
  return `
    SELECT c.oid, NULL AS extension, NULL AS condition
    FROM (${chosenRelations(selection)}) AS chosen JOIN pg_class AS c ON c.oid = chosen.oid
    WHERE c.relkind = 'r' AND c.oid <> ALL (${oidArray(excludeTableData)})
      AND NOT (c.relpersistence = 'u' AND pg_is_in_recovery())
    UNION ALL
    SELECT c.oid, e.extname::text, nullif(config.condition, '')
    FROM pg_extension AS e, unnest(e.extconfig, e.extcondition) AS config (oid, condition)
      JOIN pg_class AS c ON c.oid = config.oid AND c.relkind = 'r'
    WHERE (${includesEverything(selection)} OR e.oid = ANY (${oidArray(extensions)}) OR c.oid = ANY (${oidArray(tables)})
           OR (${isChosenSchema(selection, 'c.relnamespace')}))
      AND c.oid <> ALL (${oidArray([...excludeTables, ...excludeTableData])})
      AND c.relnamespace <> ALL (${oidArray(excludeSchemas)})`
}

/** Every relation of a user with the root of its partition tree, and every other one that is dumped. */
export function relationsQuery(selection: Selection, extensions: readonly string[]): string {
  return `
    WITH RECURSIVE tree AS (
      SELECT oid, oid AS root FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relispartition
      UNION ALL
      SELECT c.oid, tree.root FROM tree JOIN pg_inherits AS i ON i.inhparent = tree.oid
        JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition
    ),
    dumped AS (${dumpedRelations(selection, extensions)})
    SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, tree.root::text AS root,
           d.oid IS NOT NULL AS dumped, d.extension, d.condition,
           CASE WHEN c.reltuples >= 0 AND c.relpages > 0 THEN c.reltuples::bigint END AS rows,
           d.oid IS NOT NULL AND c.relrowsecurity AND row_security_active(c.oid) AS hidden
    FROM tree JOIN pg_class AS c ON c.oid = tree.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
      LEFT JOIN dumped AS d ON d.oid = c.oid
    WHERE d.oid IS NOT NULL OR (n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
    ORDER BY n.nspname, c.relname`
}

/** The columns of the given tables. Generated columns exist since PostgreSQL 12, as do collations that ignore differences. */
export function columnsQuery(oids: readonly string[], major: number): string {
  const [generated, deterministic] =
    major >= 12 ? [`a.attgenerated <> ''`, 'coalesce(l.collisdeterministic, true)'] : ['false', 'true']
  return `
    SELECT a.attrelid::text AS table, json_agg(json_build_object(
             'name', a.attname, 'type', a.atttypid::text, 'modifier', a.atttypmod,
             'declared', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull,
             'computedFrom', CASE WHEN ${generated} THEN
               (SELECT ${columnsIn('a.attrelid', 'd.adbin::text')} FROM pg_attrdef AS d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END,
             'deterministic', ${deterministic}) ORDER BY a.attnum) AS columns
    FROM unnest(${oidArray(oids)}) AS dumped (oid)
      JOIN pg_attribute AS a ON a.attrelid = dumped.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
    GROUP BY a.attrelid`
}

/** Every type of a column of the given tables, each with the type behind its domains. */
export function typesQuery(oids: readonly string[]): string {
  return `
    WITH RECURSIVE chain AS (
      SELECT DISTINCT a.atttypid AS declared, a.atttypmod AS modifier, a.atttypid AS oid, a.atttypmod AS typmod, false AS notnull
      FROM unnest(${oidArray(oids)}) AS dumped (oid)
        JOIN pg_attribute AS a ON a.attrelid = dumped.oid AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL
      SELECT chain.declared, chain.modifier, t.typbasetype, t.typtypmod, chain.notnull OR t.typnotnull
      FROM chain JOIN pg_type AS t ON t.oid = chain.oid AND t.typtype = 'd'
    )
    SELECT chain.declared::text AS declared, chain.modifier, format_type(t.oid, chain.typmod) AS type,
           e.typname AS base, e.typtype::text AS kind, e.oid <> t.oid AS "isArray", chain.notnull AS "notNull"
    FROM chain JOIN pg_type AS t ON t.oid = chain.oid AND t.typtype <> 'd'
      JOIN pg_type AS e ON e.oid = CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN t.typelem ELSE t.oid END`
}

/** What keeps the rows of the given tables apart. An index that is not valid is not dumped. */
export function uniqueKeysQuery(oids: readonly string[], major: number): string {
  const trees = `coalesce(i.indexprs::text, '') || coalesce(i.indpred::text, '')`
  return `
    SELECT i.indrelid::text AS table, c.relname AS name, i.indisprimary AS primary, i.indisexclusion AS exclusion,
           (SELECT coalesce(json_agg(a.attname ORDER BY n), '[]') FROM generate_series(0, i.indnkeyatts - 1) AS n
              JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n]) AS columns,
           ${columnsIn('i.indrelid', trees)} AS "computedFrom",
           ${major >= 15 ? 'NOT i.indnullsnotdistinct' : 'true'} AS "nullsDistinct"
    FROM unnest(${oidArray(oids)}) AS dumped (oid)
      JOIN pg_index AS i ON i.indrelid = dumped.oid AND (i.indisunique OR i.indisexclusion) AND i.indisvalid
      JOIN pg_class AS c ON c.oid = i.indexrelid
    ORDER BY i.indrelid, c.relname`
}

/** The CHECK constraints of the given tables. */
export function checksQuery(oids: readonly string[]): string {
  return `
    SELECT k.conrelid::text AS table, k.conname AS name, ${namesOf('k.conrelid', 'k.conkey')} AS columns
    FROM unnest(${oidArray(oids)}) AS dumped (oid) JOIN pg_constraint AS k ON k.conrelid = dumped.oid AND k.contype = 'c'
    ORDER BY k.conrelid, k.conname`
}

/** The keys of all partitioned tables. */
export const PARTITION_KEYS_QUERY = `
  SELECT p.partrelid::text AS table, (SELECT json_agg(name) FROM (
           SELECT a.attname AS name FROM unnest(p.partattrs::int2[]) AS u (number)
             JOIN pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = u.number
           UNION SELECT json_array_elements_text(${columnsIn('p.partrelid', `coalesce(p.partexprs::text, '')`)})) AS k) AS columns
  FROM pg_partitioned_table AS p`

/** All foreign keys. Those of partitions that come from the table above them are left out. */
export const FOREIGN_KEYS_QUERY = `
  SELECT k.conname AS name, k.conrelid::text AS table, ${namesOf('k.conrelid', 'k.conkey')} AS columns,
         k.confrelid::text AS references, ${namesOf('k.confrelid', 'k.confkey')} AS keys, k.confmatchtype = 'f' AS full,
         k.convalidated AS validated
  FROM pg_constraint AS k WHERE k.contype = 'f' AND k.conparentid = 0
  ORDER BY k.conrelid::regclass::text, k.conname`

/**
 * What the materialized views that a restore refreshes read, through other views and the children of tables: foreign
 * tables, and functions that may read anything. The functions of extensions in C do not read tables, apart from dblink.
 */
export function viewSourcesQuery(selection: Selection): string {
  const relation = (oid: string) => `(SELECT json_build_object('schema', n.nspname, 'name', c.relname)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = ${oid})`
  return `
    WITH RECURSIVE uses AS (
      SELECT r.ev_class AS relation, d.refclassid, d.refobjid
      FROM pg_rewrite AS r JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    ),
    edge AS (
      SELECT relation, refobjid FROM uses WHERE refclassid = 'pg_class'::regclass
      UNION SELECT inhparent, inhrelid FROM pg_inherits
    ),
    reads AS (
      SELECT c.oid AS view, c.oid FROM (${chosenRelations(selection)}) AS chosen JOIN pg_class AS c ON c.oid = chosen.oid
      WHERE c.relkind = 'm' AND c.relispopulated AND c.oid <> ALL (${oidArray(selection.matched.excludeTableData)})
      UNION SELECT reads.view, edge.refobjid FROM reads JOIN edge ON edge.relation = reads.oid
    ),
    source AS (
      SELECT reads.view, 'foreign table' AS kind, c.oid::regclass::text AS name
      FROM reads JOIN pg_class AS c ON c.oid = reads.oid WHERE c.relkind = 'f'
      UNION
      SELECT reads.view, CASE e.extname WHEN 'dblink' THEN 'dblink' ELSE 'function' END, p.oid::regprocedure::text
      FROM reads JOIN uses ON uses.relation = reads.oid AND uses.refclassid = 'pg_proc'::regclass
        JOIN pg_proc AS p ON p.oid = uses.refobjid AND p.oid >= 16384 JOIN pg_language AS l ON l.oid = p.prolang
        LEFT JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        LEFT JOIN pg_extension AS e ON e.oid = d.refobjid
      WHERE e.extname IS NULL OR e.extname = 'dblink' OR l.lanname NOT IN ('internal', 'c')
    )
    SELECT ${relation('source.view')} AS view, kind, name FROM source ORDER BY source.view::regclass::text, kind, name`
}

/** Returns an SQL expression for the names of numbered columns, in their order, as a JSON array. */
function namesOf(table: string, numbers: string): string {
  return `(SELECT coalesce(json_agg(x.attname ORDER BY i), '[]') FROM unnest(${numbers}) WITH ORDINALITY AS u (number, i)
     JOIN pg_attribute AS x ON x.attrelid = ${table} AND x.attnum = u.number)`
}

/**
 * Returns an SQL expression for the columns that the stored form of an expression (`pg_node_tree`) mentions, as a JSON
 * array. The dependencies that the server records are not enough: they do not contain a reference to the whole row, whose
 * number is 0.
 */
function columnsIn(table: string, tree: string): string {
  return `(SELECT coalesce(json_agg(DISTINCT x.attname), '[]')
     FROM regexp_matches(${tree}, ':varattno (\\d+) ', 'g') AS m
     JOIN pg_attribute AS x ON x.attrelid = ${table} AND NOT x.attisdropped
       AND (x.attnum = m[1]::int OR (m[1] = '0' AND x.attnum > 0)))`
}
