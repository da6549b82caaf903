import { asciiPattern, characterCodes, exactPatterns, type NameCodes } from './connection/name-pattern.ts'
import { literal, type Session } from './connection/session.ts'
import type { Contents } from './pg-dump.ts'

/** The filters that are patterns, each with its input and what it matches. */
const FILTERS = {
  tables: ['tables', 'relations'],
  excludeTables: ['exclude-tables', 'relations'],
  schemas: ['schemas', 'schemas'],
  excludeSchemas: ['exclude-schemas', 'schemas'],
  excludeTableData: ['exclude-table-data', 'relations'],
} as const

type Filter = keyof typeof FILTERS

/** What the filters select, as the catalog says it now. */
export type Selection = {
  /** The contents as `pg_dump` has to be told, so that it selects the same in every version and encoding. */
  contents: Contents
  /** OIDs of what each filter matches, with the children of tables. */
  matched: Readonly<Record<Filter, readonly string[]>>
}

/**
 * Finds what the filters select. A filter of a table covers its partitions and the tables that inherit from it, which
 * `pg_dump` does not do by itself.
 *
 * @throws an Error when a pattern matches nothing: a misspelt exclude pattern would dump what it should exclude, and
 * `pg_dump --strict-names` checks only the patterns that include
 */
export async function resolveFilters(session: Session, contents: Contents): Promise<Selection> {
  const unmatched: string[] = []
  const patterns: Partial<Record<Filter, string[]>> = {}
  const matched: Partial<Record<Filter, string[]>> = {}
  for (const filter of Object.keys(FILTERS) as Filter[]) {
    const [input, what] = FILTERS[filter]
    const found = new Set<string>()
    for (const pattern of contents[filter]) {
      const oids = await session.list(what, pattern)
      if (oids.length === 0) unmatched.push(`${input}: ${pattern}`)
      for (const oid of oids) found.add(oid)
    }
    const children = what === 'relations' && found.size > 0 ? await readDescendants(session, [...found]) : []
    matched[filter] = [...found, ...children.map(({ oid }) => oid)]
    if (unmatched.length === 0)
      patterns[filter] = [...(await inAscii(session, contents[filter])), ...exactPatterns(children)]
  }
  if (unmatched.length > 0) {
    throw new Error(
      `Nothing in the database matches ${unmatched.join(', ')} (names with capitals need double quotes, as in public."Order")`,
    )
  }
  return { contents: { ...contents, ...patterns }, matched: matched as Record<Filter, string[]> }
}

/** Returns the patterns in ASCII, each character as the database stores it. */
async function inAscii(session: Session, patterns: readonly string[]): Promise<string[]> {
  const written: string[] = []
  for (const pattern of patterns) {
    if (/^[\x00-\x7f]*$/.test(pattern)) written.push(pattern)
    else {
      const [row] = await session.query<{ codes: number[] }>(
        `SELECT ${characterCodes(`${literal(pattern)}::text`)} AS codes`,
      )
      written.push(asciiPattern(row!.codes))
    }
  }
  return written
}

/** Returns the partitions and inheriting tables of the given relations, at every level, without those themselves. */
function readDescendants(
  session: Session,
  oids: readonly string[],
): Promise<(NameCodes & { oid: string })[]> {
  return session.query(`
    WITH RECURSIVE family AS (
      SELECT unnest(${oidArray(oids)}) AS oid
      UNION SELECT i.inhrelid FROM family JOIN pg_inherits AS i ON i.inhparent = family.oid
    )
    SELECT c.oid::text AS oid, ${characterCodes('n.nspname::text')} AS schema, ${characterCodes('c.relname::text')} AS name
    FROM family JOIN pg_class AS c ON c.oid = family.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid <> ALL (${oidArray(oids)}) ORDER BY c.oid`)
}

/** Returns patterns of `pg_dump` that match exactly the given relations. */
export async function exactPatternsOf(session: Session, oids: readonly string[]): Promise<string[]> {
  if (oids.length === 0) return []
  return exactPatterns(
    await session.query<NameCodes>(`
      SELECT ${characterCodes('n.nspname::text')} AS schema, ${characterCodes('c.relname::text')} AS name
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.oid = ANY (${oidArray(oids)}) ORDER BY c.oid`),
  )
}

/** Returns an SQL array of OIDs. */
export function oidArray(oids: readonly string[]): string {
  return `'{${oids.join(',')}}'::oid[]`
}

/** Whether objects without a schema are dumped too, as languages and extensions are. */
export function includesEverything({ matched }: Selection): boolean {
  return matched.tables.length + matched.schemas.length === 0
}

/** Returns an SQL condition for the OID of a schema whose objects are dumped. */
export function isChosenSchema({ matched }: Selection, oid: string): string {
  if (matched.tables.length > 0) return 'false'
  const included =
    matched.schemas.length > 0
      ? `${oid} = ANY (${oidArray(matched.schemas)})`
      : `${oid} IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')`
  return `${included} AND ${oid} <> ALL (${oidArray(matched.excludeSchemas)})`
}

/**
 * Returns a query for the OIDs of the relations that are dumped, as `selectDumpableTable` in pg_dump.c selects them.
 * Relations of extensions are not among them: of these, `pg_dump` takes only marked rows.
 */
export function chosenRelations(selection: Selection): string {
  const { tables, excludeTables } = selection.matched
  const chosen =
    tables.length > 0
      ? `c.oid = ANY (${oidArray(tables)})`
      : `(${isChosenSchema(selection, 'c.relnamespace')})`
  return `
    SELECT c.oid FROM pg_class AS c
    WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND c.relpersistence <> 't'
      AND ${chosen} AND c.oid <> ALL (${oidArray(excludeTables)})
      AND NOT EXISTS (SELECT FROM pg_depend AS d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`
}
