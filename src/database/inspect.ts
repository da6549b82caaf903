import { buffer } from 'node:stream/consumers'
import { type ArchiveReport, createDecoder, type TocEntry } from '../archive/archive.ts'
import type { Environment } from '../process/environment.ts'
import { type Relation, relationKey } from '../relation.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'
import { type Connection, clientEnvironment } from './connection/connection.ts'
import { identifier, type Session } from './connection/session.ts'
import { startDump, untilFinished } from './pg-dump.ts'

type Counted = Relation & { rows: number | null }

type Tree = {
  schema: string
  name: string
  rootSchema: string
  root: string
  relkind: string
  extension: boolean
}

/** Every table with the root of its partition tree, which is the table itself if it is not a partition. */
const TREES = `
  WITH RECURSIVE tree AS (
    SELECT oid, oid AS root FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
    UNION ALL
    SELECT c.oid, tree.root FROM tree JOIN pg_inherits AS i ON i.inhparent = tree.oid
      JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition)
  SELECT n.nspname AS schema, c.relname AS name, rn.nspname AS "rootSchema", r.relname AS root, c.relkind::text AS relkind,
         EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e') AS extension
  FROM tree JOIN pg_class AS c ON c.oid = tree.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_class AS r ON r.oid = tree.root JOIN pg_namespace AS rn ON rn.oid = r.relnamespace`

const rootOf = ({ rootSchema, root }: Tree) => relationKey({ schema: rootSchema, name: root })

/**
 * Counts the rows of dumped tables again. Partitions are counted together, as one tree: rows that pg_dump loads through the
 * root of a tree (`--load-via-partition-root`, and always for some hash partitions) may come to another partition.
 *
 * @returns what was dumped, with a sum for each tree, and the counts of those tables that the database has. `rows` is null
 *   for a table of an extension, because its dump holds only the rows that were added to those of `CREATE EXTENSION`.
 */
export async function countAgain(
  session: Session,
  dumped: readonly Counted[],
): Promise<{ expected: Counted[]; counts: Counted[] }> {
  const tables = await session.query<Tree>(TREES)
  const found = new Map(tables.map((table) => [relationKey(table), table]))
  const expected = new Map<string, Counted>()
  for (const { schema, name, rows } of dumped) {
    const table = found.get(relationKey({ schema, name }))
    const key = table ? rootOf(table) : relationKey({ schema, name })
    const before = expected.get(key)?.rows
    const sum = rows === null || before === null ? null : (before ?? 0) + rows
    expected.set(key, { schema: table?.rootSchema ?? schema, name: table?.root ?? name, rows: sum })
  }
  const trees = [...Map.groupBy(tables, rootOf)].filter(([key]) => expected.has(key))
  const rows = await countTrees(
    session,
    trees.map(([, members]) => members),
  )
  const counts = trees.map(([key], n) => ({ ...expected.get(key)!, rows: rows[n]! }))
  return { expected: [...expected.values()], counts }
}

/** How many tables one query counts. Each query takes a round trip, and locks its tables. */
const TABLES_PER_QUERY = 100

/** Counts the rows of the tables that hold the data of each tree; null for a tree of an extension. */
async function countTrees(session: Session, trees: readonly (readonly Tree[])[]): Promise<(number | null)[]> {
  const sums = trees.map((members) => (members.some(({ extension }) => extension) ? null : 0))
  const wanted = trees.flatMap((members, tree) =>
    sums[tree] === null ? [] : members.flatMap((table) => (table.relkind === 'r' ? { table, tree } : [])),
  )
  for (let from = 0; from < wanted.length; from += TABLES_PER_QUERY) {
    const counts = wanted
      .slice(from, from + TABLES_PER_QUERY)
      .map(({ table, tree }) => `SELECT ${tree} AS tree, count(*) AS rows FROM ONLY ${nameOf(table)}`)
    for (const { tree, rows } of await session.query<{ tree: number; rows: number }>(
      counts.join('\nUNION ALL '),
    ))
      sums[tree]! += rows
  }
  return sums
}

function nameOf({ schema, name }: Tree): string {
  return `${identifier(schema)}.${identifier(name)}`
}

/**
 * Entries that are not objects of the schema, or that pg_restore was told to leave out: data, session settings, owners
 * and grants. The names are those of the `ArchiveEntry` calls in pg_dump.c.
 */
const NOT_AN_OBJECT =
  /DATA$|^(ENCODING|STDSTRINGS|SEARCHPATH|DATABASE|DATABASE PROPERTIES|SEQUENCE SET|BLOB|BLOBS|BLOB METADATA|ACL|DEFAULT ACL|COMMENT|SECURITY LABEL)$/

/** Every new database has this schema; pg_dump lists it only if its owner is not the default one of PostgreSQL 15 and later. */
const isPublic = ({ desc, tag }: TocEntry) => desc === 'SCHEMA' && tag === 'public'

/** Whether an entry creates an object of the schema. */
export function isSchemaObject(entry: TocEntry): boolean {
  return !NOT_AN_OBJECT.test(entry.desc) && !isPublic(entry)
}

/** Returns what an archive would create, one line per object, such as `INDEX public orders_pkey`. */
export function schemaObjects(entries: readonly TocEntry[]): string[] {
  return entries
    .filter(isSchemaObject)
    .map(({ desc, namespace, tag }) => `${desc} ${namespace} ${tag}`.replace(/\s+/g, ' '))
    .sort()
}

/** Lets the role read the tables and sequences that it owns, because owners may have revoked their own rights. */
export async function grantOwnTables(session: Session): Promise<void> {
  const tables = await session.query<{ schema: string; name: string }>(`
    SELECT n.nspname AS schema, c.relname AS name
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S') AND pg_has_role(c.relowner, 'USAGE') AND NOT has_table_privilege(c.oid, 'SELECT')`)
  for (const { schema, name } of tables)
    await session.execute(`GRANT SELECT ON TABLE ${identifier(schema)}.${identifier(name)} TO CURRENT_USER`)
}

/** Dumps the schema of a database and returns the table of contents. */
export async function dumpSchema(
  connection: Connection,
  client: Pick<PostgresClient, 'pgDump'>,
  environment: Environment,
  { withOwners = false } = {},
): Promise<ArchiveReport> {
  const owners = withOwners ? [] : ['--no-owner', '--no-acl']
  const args = ['--format=custom', '--no-password', '--schema-only', ...owners, '--compress=0']
  const source = startDump(client.pgDump, args, clientEnvironment(connection, environment))
  const decoder = createDecoder({ jobs: 1 })
  await buffer(decoder.transform(untilFinished(source)))
  return decoder.report()
}

/** Returns the objects of one list that another list does not have. */
export function missingFrom(objects: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>()
  for (const object of others) left.set(object, (left.get(object) ?? 0) + 1)
  return objects.filter((object) => {
    const count = left.get(object) ?? 0
    left.set(object, count - 1)
    return count <= 0
  })
}
