import { buffer } from 'node:stream/consumers'
import { type ArchiveReport, createDecoder, type TocEntry } from '../archive/archive.ts'
import type { Environment } from '../process/environment.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'
import { type Connection, clientEnvironment } from './connection/connection.ts'
import { identifier, type Session } from './connection/session.ts'
import { startDump, untilFinished } from './pg-dump.ts'

type Relation = { schema: string; name: string }

/**
 * Counts the rows of the given tables and leaves out tables that the database does not have. `rows` is null for a table
 * of an extension, because its dump holds only the rows that were added to those of `CREATE EXTENSION`.
 */
export async function countRows(
  session: Session,
  tables: readonly Relation[],
): Promise<(Relation & { rows: number | null })[]> {
  const existing = await session.query<Relation & { extension: boolean }>(`
    SELECT n.nspname AS schema, c.relname AS name,
           EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e') AS extension
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')`)
  const key = ({ schema, name }: Relation) => JSON.stringify([schema, name])
  const found = new Map(existing.map((table) => [key(table), table]))
  const counted = []
  for (const table of tables) {
    const relation = found.get(key(table))
    if (relation)
      counted.push({ ...table, rows: relation.extension ? null : await countTable(session, table) })
  }
  return counted
}

async function countTable(session: Session, { schema, name }: Relation): Promise<number> {
  const [row] = await session.query<{ rows: number }>(
    `SELECT count(*) AS rows FROM ONLY ${identifier(schema)}.${identifier(name)}`,
  )
  return row!.rows
}

/**
 * Entries that are not objects of the schema, or that pg_restore was told to leave out: data, session settings, owners
 * and grants. The names are those of the `ArchiveEntry` calls in pg_dump.c.
 */
const NOT_AN_OBJECT =
  /DATA$|^(ENCODING|STDSTRINGS|SEARCHPATH|DATABASE|DATABASE PROPERTIES|SEQUENCE SET|BLOB|BLOBS|BLOB METADATA|ACL|DEFAULT ACL|COMMENT|SECURITY LABEL)$/

/** Returns what an archive would create, one line per object, such as `INDEX public orders_pkey`. */
export function schemaObjects(entries: readonly TocEntry[]): string[] {
  return entries
    .filter(({ desc }) => !NOT_AN_OBJECT.test(desc))
    .map(({ desc, namespace, tag }) => `${desc} ${namespace} ${tag}`.replace(/\s+/g, ' '))
    .sort()
}

/** Dumps the schema of a database and returns the table of contents. */
export async function dumpSchema(
  connection: Connection,
  client: Pick<PostgresClient, 'pgDump'>,
  environment: Environment,
): Promise<ArchiveReport> {
  const args = ['--format=custom', '--no-password', '--schema-only', '--no-owner', '--no-acl', '--compress=0']
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
