import { addAbortListener } from 'node:events'
import { tableArchive } from '../archive/archive.ts'
import { asciiIdentifier, asciiLiteral, identifier, literal } from '../database/connection/literal.ts'
import type { Relation } from '../relation.ts'
import { type Facts, type Query, type ReaderOptions, ReadingSession } from './reading-session.ts'

/** A table whose rows are read by queries, and not by `pg_dump`. */
export type TableRead = {
  table: { oid: string; schema: string; name: string }
  /** The columns that the rows have. Generated columns are not among them. */
  columns: readonly string[]
  /** The root of the partition tree through which the rows have to be loaded, if they have to be. */
  loadInto?: Relation
  /** Into how many queries the reading is divided. Their rows, one after the other, are the data. */
  shares: number
  /** Returns the query of a share, from 0. It is written in ASCII (see `asciiIdentifier`), because it is sent in the encoding of the dump. */
  select: (share: number) => string
}

/** Sessions that read tables; `archive` is a part for JoinedArchive. A session that fails or ends early fails it. */
export type TableReaders = { archive: AsyncGenerator<Buffer>; abort: () => Promise<void> }

/**
 * Starts sessions that read tables in one snapshot, and waits until they have locked them. The queries are dealt to the
 * sessions in turn and their rows are put in order again, so that the data is what one session would read.
 *
 * @throws an Error if a session cannot start, or a table cannot be locked at once
 */
export async function startTableReaders(
  reads: readonly TableRead[],
  options: ReaderOptions,
): Promise<TableReaders> {
  const sessions = Array.from(
    { length: options.connections },
    (_, index) =>
      new ReadingSession(setUp(reads, options), queriesOf(reads, index, options.connections), options),
  )
  const abort = async () => void (await Promise.all(sessions.map((session) => session.end())))
  using _ = addAbortListener(options.signal, () => void abort())
  for (const session of sessions) {
    // The others may be waiting for a server that has gone silent.
    void session.succeeded().catch((reason: Error) => {
      for (const each of sessions) each.fail(reason)
    })
  }
  try {
    const [facts] = await Promise.all(sessions.map((session) => session.ready()))
    return { archive: readTables(reads, sessions, facts!), abort }
  } catch (error) {
    await abort()
    throw error
  }
}

async function* readTables(
  reads: readonly TableRead[],
  sessions: readonly ReadingSession[],
  { encoding, texts }: Facts,
): AsyncGenerator<Buffer> {
  let turn = 0
  const rowsOf = async function* ({ shares }: TableRead): AsyncGenerator<Buffer> {
    for (let share = 0; share < shares; share++) yield* sessions[turn++ % sessions.length]!.rows()
  }
  const tables = reads.map((read, index) => {
    const [schema, name, copyStatement, comment] = texts.slice(index * TEXTS_OF_TABLE) as TextsOfTable
    const definition = comment.length > 0 ? comment : null
    return { oid: read.table.oid, schema, name, copyStatement, definition, rows: rowsOf(read) }
  })
  yield* tableArchive(encoding, tables)
  for (const session of sessions) await session.finish()
}

/** Returns the queries of one of the sessions, which take turns. */
function* queriesOf(reads: readonly TableRead[], index: number, connections: number): Generator<Query> {
  let turn = 0
  for (const { table, shares, select } of reads) {
    for (let share = 0; share < shares; share++)
      if (turn++ % connections === index) yield { sql: select(share), table }
  }
}

/** The settings of `setup_connection` in pg_dump.c, on which the text of values depends, and those that keep other code out. */
function settings(serverMajor: number): string[] {
  return [
    'search_path = pg_catalog, pg_temp',
    'standard_conforming_strings = on',
    'row_security = off',
    'DateStyle = ISO',
    'IntervalStyle = postgres',
    'extra_float_digits = 3',
    'synchronize_seqscans = off',
    'statement_timeout = 0',
    'lock_timeout = 0',
    'idle_in_transaction_session_timeout = 0',
    ...(serverMajor >= 17 ? ['transaction_timeout = 0'] : []),
    // A query of pages must not become a scan of the whole table, nor several processes.
    'enable_tidscan = on',
    'max_parallel_workers_per_gather = 0',
    'jit = off',
  ]
}

/** Statements that join the snapshot, and queries for what the archive says about the data. */
function setUp(
  reads: readonly TableRead[],
  { serverMajor, snapshot, hidesValues, session }: ReaderOptions,
): string[] {
  const tables = reads.map(
    ({ table }) => `ONLY ${asciiIdentifier(table.schema)}.${asciiIdentifier(table.name)}`,
  )
  const texts = reads.flatMap((read) => [
    ...[read.table.schema, read.table.name],
    ...[copyStatement(read), rootComment(read)],
  ])
  const join = [
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;',
    `SET TRANSACTION SNAPSHOT ${literal(snapshot)};`,
  ]
  return [
    ...(session ? ['\\set ON_ERROR_STOP on'] : []),
    // Errors must not print rows.
    '\\set VERBOSITY terse',
    '\\set SHOW_CONTEXT never',
    `${settings(serverMajor)
      .map((setting) => `SET ${setting}`)
      .join('\\; ')};`,
    ...(session ? [] : join),
    `LOCK TABLE ${tables.join(', ')} IN ACCESS SHARE MODE NOWAIT;`,
    `SELECT encode(convert_to(text, pg_client_encoding()), 'hex')
       FROM unnest(ARRAY[${texts.map(asciiLiteral).join(', ')}]::text[]) WITH ORDINALITY AS t (text, n) ORDER BY n;`,
    '\\echo :ENCODING',
    // From here on, an error concerns values, and its message may quote one.
    ...(hidesValues ? ['\\set VERBOSITY sqlstate', `SET TimeZone = 'UTC';`] : []),
  ]
}

const quoted = ({ schema, name }: Relation) => `${identifier(schema)}.${identifier(name)}`

/** Returns the statement as `dumpTableData` in pg_dump.c writes it. */
function copyStatement({ table, loadInto = table, columns }: TableRead): string {
  const list = columns.length > 0 ? `(${columns.map(identifier).join(', ')})` : ''
  return `COPY ${quoted(loadInto)} ${list} FROM stdin;\n`
}

/** Returns the comment by which `pg_restore` knows that rows may come to other partitions (`is_load_via_partition_root`). */
function rootComment({ loadInto }: TableRead): string {
  return loadInto ? `-- load via partition root ${quoted(loadInto)}` : ''
}

/** Schema, name, COPY statement and comment. */
type TextsOfTable = [Buffer, Buffer, Buffer, Buffer]
const TEXTS_OF_TABLE = 4
