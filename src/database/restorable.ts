import { formatNames } from '../report/format.ts'
import type { log } from '../report/log.ts'
import type { Session } from './connection/session.ts'
import { type Need, readNeeds } from './needs.ts'
import { type MissingRows, readMissingRows } from './referenced-rows.ts'
import { oidArray, type Selection } from './selection.ts'

/** A schema or an extension that a dump gets in addition to what the filters select, because it needs it. */
export type Addition = {
  kind: 'SCHEMA' | 'EXTENSION'
  oid: string
  name: string
  owner: string
  /** SQL that creates it, unless it exists. */
  sql: string
  /** The three texts in the encoding of the database, in hexadecimal. */
  raw: { name: string; owner: string; sql: string }
}

/** Where findings are reported. */
export type Report = Pick<typeof log, 'info' | 'warning'>

/** Options of `pg_dump` that select objects, so that what it dumps is not known. */
const SELECTS =
  /^-[bBcCORsvx]*[tTnNea]|^--(table|exclude-|schema|extension|section|filter|data-only|statistics-only)/

/**
 * Makes sure that what the filters select can be restored. Extensions and schemas that it needs are added.
 *
 * @returns the additions
 * @throws an Error that lists everything else that it needs and does not contain, unless `allow` makes that a warning
 */
export async function completeSelection(
  session: Session,
  selection: Selection,
  { allow, report }: { allow: boolean; report: Report },
): Promise<Addition[]> {
  const { contents, matched } = selection
  const filtered = Object.values(matched).some((oids) => oids.length > 0)
  if (!filtered) return []
  if (contents.pgDumpArgs.some((argument) => SELECTS.test(argument))) {
    report.info(
      'pg-dump-args select objects too, so it is not checked whether the dump contains what it needs',
    )
    return []
  }
  const needs = await readNeeds(session, selection)
  const additions = await readAdditions(session, needs)
  const missing = [
    ...[
      ...Map.groupBy(
        needs.filter(({ catalog }) => !ADDED.has(catalog)),
        ({ object }) => object,
      ).values(),
    ].map((group) => describeNeed(selection, group)),
    ...(await readMissingRows(session, selection)).map(describeRows),
  ]
  if (missing.length > 0) {
    const text = `The filters leave out what the rest of the dump needs, so it could not be restored: ${missing.join('; ')}`
    if (!allow) throw new Error(`${text}. Or set allow-unrestorable: true`)
    report.warning(text)
  }
  if (additions.length > 0) {
    const names = additions.map(({ kind, name }) => `${kind.toLowerCase()} ${name}`)
    report.info(`The dump also gets ${names.join(', ')}, because the chosen objects need it`)
  }
  return additions
}

const ADDED = new Set(['pg_extension', 'pg_namespace'])

/** Reads the extensions and schemas that are added, with the extensions that these require and their schemas. */
async function readAdditions(session: Session, needs: readonly Need[]): Promise<Addition[]> {
  const oids = (catalog: string) => needs.flatMap((need) => (need.catalog === catalog ? need.oid : []))
  const [extensions, schemas] = [oids('pg_extension'), oids('pg_namespace')]
  if (extensions.length + schemas.length === 0) return []
  const raw = (text: string) => `encode(convert_to(${text}, getdatabaseencoding()), 'hex')`
  const columns = (name: string, role: string, sql: string) => {
    const owner = `pg_get_userbyid(${role})::text`
    const inBytes = `'name', ${raw(`${name}::text`)}, 'owner', ${raw(owner)}, 'sql', ${raw(sql)}`
    return `${name} AS name, ${owner} AS owner, ${sql} AS sql, json_build_object(${inBytes}) AS raw`
  }
  return session.query<Addition>(`
    WITH RECURSIVE wanted AS (
      SELECT unnest(${oidArray(extensions)}) AS oid
      UNION SELECT d.refobjid FROM wanted JOIN pg_depend AS d ON d.objid = wanted.oid
        AND d.classid = 'pg_extension'::regclass AND d.refclassid = d.classid
    ),
    home AS (
      SELECT unnest(${oidArray(schemas)}) AS oid
      UNION SELECT e.extnamespace FROM wanted JOIN pg_extension AS e USING (oid)
    )
    SELECT 'SCHEMA' AS kind, n.oid::text AS oid, ${columns('n.nspname', 'n.nspowner', `format(E'CREATE SCHEMA IF NOT EXISTS %I;\\n', n.nspname)`)}
    FROM home JOIN pg_namespace AS n USING (oid)
    WHERE n.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_namespace'::regclass
                                         AND d.objid = n.oid AND d.deptype = 'e')
    UNION ALL
    SELECT 'EXTENSION', e.oid::text, ${columns('e.extname', 'e.extowner', `format(E'CREATE EXTENSION IF NOT EXISTS %I WITH SCHEMA %I;\\n', e.extname, n.nspname)`)}
    FROM wanted JOIN pg_extension AS e USING (oid) JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.oid >= 16384`)
}

/** More dependents would make the error too long. */
const MAX_NAMED_DEPENDENTS = 8

/** Returns the object, what needs it, and the line that adds it or leaves out what needs it. */
function describeNeed({ matched }: Selection, needs: readonly Need[]): string {
  const { object, relation, schema, oid } = needs[0]!
  const include = () => {
    if (matched.excludeTables.includes(oid)) return null
    if (relation && matched.tables.length > 0) return `add tables: ${relation}`
    if (schema && matched.tables.length > 0) return `select schemas: ${schema} instead of tables`
    if (schema && matched.schemas.length > 0) return `add schemas: ${schema}`
    return null
  }
  const keep = relation ?? (schema ? `schema ${schema}` : 'everything')
  const some = needs.slice(0, MAX_NAMED_DEPENDENTS)
  const dependents = some.flatMap(({ dependentRelation }) => dependentRelation ?? [])
  const leaveOut = dependents.map((dependent) => `exclude-tables: ${dependent}`).join(', ')
  const line = include() ?? (dependents.length === some.length ? `add ${leaveOut}` : `do not exclude ${keep}`)
  return `${object}, needed by ${formatNames(
    needs.map(({ dependent }) => dependent),
    MAX_NAMED_DEPENDENTS,
  )} (${line})`
}

function describeRows({ constraint, table, needs }: MissingRows): string {
  return `rows of table ${needs}, to which ${constraint} of table ${table} refers (add exclude-table-data: ${table})`
}
