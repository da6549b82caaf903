import { createDecoder, type TocEntry } from '../archive/archive.ts'
import type { Environment } from '../process/environment.ts'
import type { PostgresClient } from '../tools/postgres/provide-client.ts'
import { type Connection, clientEnvironment } from './connection/connection.ts'
import type { Session } from './connection/session.ts'
import { startDump } from './pg-dump.ts'

/**
 * What `pg_dump` writes about every database (`ArchiveEntry` in pg_dump.c): settings of the dump, the database itself, its
 * extensions, and the data of their configuration tables, of which only the rows count.
 */
const IN_EVERY_DUMP =
  /^(?:ENCODING|STDSTRINGS|SEARCHPATH|DATABASE|DATABASE PROPERTIES|EXTENSION|TABLE DATA|SEQUENCE SET)$/
const ATTACHED = /^(?:COMMENT|ACL|SECURITY LABEL)$/

function isContent({ desc, tag }: TocEntry): boolean {
  const ofTheDatabase = ATTACHED.test(desc) && /^(?:DATABASE|EXTENSION) /.test(tag)
  return !IN_EVERY_DUMP.test(desc) && !ofTheDatabase
}

/** Ends the reading of a dump that has shown something. */
class Found extends Error {}

/**
 * Returns the first thing in a database that `pg_dump` would dump, such as `OPERATOR public.===`, and null if there is
 * nothing. An extension counts only if its tables have rows of a user.
 */
export async function findContent(
  connection: Connection,
  client: PostgresClient,
  options: { environment: Environment; lockWaitTimeout: number },
): Promise<string | null> {
  const wait = `--lock-wait-timeout=${options.lockWaitTimeout}`
  const args = ['--format=custom', '--no-password', '--compress=0', wait]
  await using scope = new AsyncDisposableStack()
  const source = startDump(client.pgDump, args, clientEnvironment(connection, options.environment))
  scope.defer(() => source.abort())
  const decoder = createDecoder({
    jobs: 1,
    select: async (entries) => {
      const content = entries.find(isContent)
      if (content) throw new Found(content.label)
      return entries
    },
  })
  try {
    for await (const _ of decoder.transform(source.stream)) {
      const { rows, table } = decoder.progress
      // A table without a name has ended already, and is named at the end.
      if (rows > 0 && table !== null) throw new Found(`rows of ${table}`)
    }
    await source.finish()
  } catch (error) {
    if (error instanceof Found) return error.message
    throw error
  }
  const { tables, rows } = decoder.report()
  const filled = tables.find((table) => (table.rows ?? 0) > 0)
  if (filled) return `rows of ${filled.schema}.${filled.name}`
  return rows === 0 ? null : 'data that cannot be counted'
}

/** Returns one table of a user, and null if there is none. It saves a dump, which would lock every table. */
export async function findTable(session: Session): Promise<string | null> {
  const [row] = await session.query<{ table: string }>(`
    SELECT n.nspname || '.' || c.relname AS table
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 AND n.nspname !~ '^pg_' AND NOT EXISTS (
      SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    LIMIT 1`)
  return row ? `TABLE ${row.table}` : null
}
