import type { TocEntry } from '../../archive/archive.ts'
import { hideValues } from '../../report/neutralise.ts'
import { lockTableHint } from '../full-lock-table.ts'

/** What pg_restore printed about a statement that failed. */
export type FailedStatement = {
  error: string
  /** The entry that was named last: its ID, and its kind, name and owner. */
  entry: { dumpId: number; text: string } | null
  /** The beginning of the statement; empty for data. */
  command: string
}

const MAX_STATEMENT_LENGTH = 200

/** Statements about an entry that are not its definition. Others could be rows. */
const ATTACHED_STATEMENT = /^(ALTER|COMMENT|GRANT|REVOKE|SET|SECURITY LABEL) /

/**
 * Describes a failure with its entry and its statement, without row data, and with the fix if it is known.
 *
 * @param fewerLocks what else helps when the server has no room for locks
 */
export function describeFailure(
  failed: FailedStatement,
  entries: readonly TocEntry[],
  fewerLocks: string,
): string {
  const error = hideValues(failed.error)
  const hint = hintFor(error) + lockTableHint(error, fewerLocks)
  const found = findEntries(failed, entries)
  const [entry] = found
  if (!entry) return `${error}${failed.entry ? ` [in ${failed.entry.text}]` : ''}${hint}`
  if (found.length > 1) return `${error} [in ${found.map(({ label }) => label).join(' or ')}]${hint}`
  const statement = statementOf(entry, failed.command)
  const where = `${entry.label}${statement && `: ${statement}`}`
  return `${error} [in ${where}]${hint}${serverHint(entry, entries)}`
}

/** An error of data: pg_restore names the table without its schema, and no entry. */
const COPY_FAILED = /^COPY failed for table "(.*?)": /

/**
 * Finds the entry that failed, or several if data of tables with one name may be meant. The statement decides, because
 * another worker of pg_restore may have named its entry in the meantime. pg_restore prints the first 127 bytes of a statement
 * (DB_MAX_ERR_STMT in pg_backup_db.c), and psql runs each statement of an entry by itself.
 */
function findEntries({ error, entry, command }: FailedStatement, entries: readonly TocEntry[]): TocEntry[] {
  const table = COPY_FAILED.exec(error)?.[1]
  if (table !== undefined) return entries.filter(({ desc, tag }) => desc === 'TABLE DATA' && tag === table)
  const named = entries.filter(({ dumpId }) => dumpId === entry?.dumpId)
  if (command === '' || named.some((other) => isBeginning(command, other))) return named
  const sent = oneLine(command)
  const isPart = (other: TocEntry) =>
    oneLine(other.definition).includes(sent) || sent === oneLine(other.copyStatement)
  const found = entries.find((other) => isBeginning(command, other)) ?? named[0] ?? entries.find(isPart)
  return found ? [found] : []
}

function isBeginning(command: string, { definition }: TocEntry): boolean {
  return oneLine(definition).startsWith(oneLine(command).replace(/\.\.\.$/, ''))
}

function statementOf(entry: TocEntry, command: string): string {
  const attached = ATTACHED_STATEMENT.test(command) && !isBeginning(command, entry)
  const statement = oneLine(attached ? command : entry.copyStatement || entry.definition)
  return statement.length > MAX_STATEMENT_LENGTH ? `${statement.slice(0, MAX_STATEMENT_LENGTH)}…` : statement
}

const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim()

/** An error about a name without a schema: `relation "t"`, `function f(integer)`. */
const UNQUALIFIED = /ERROR: {2}(?:(?:relation|type) "[^".]+"|function [^".(\s]+\(.*\)) does not exist/

/** Returns the fix for an error that does not name it. pg_dump itself qualifies every name. */
function hintFor(error: string): string {
  if (!UNQUALIFIED.test(error)) return ''
  return '. A function that the restore calls for a materialized view, an index, a constraint or a generated column uses this name without its schema, but pg_restore works with an empty search_path. In the source, add the schema to the name, or use ALTER FUNCTION … SET search_path'
}

/** Names the foreign servers that a refresh reads from. */
function serverHint(entry: TocEntry, entries: readonly TocEntry[]): string {
  if (entry.desc !== 'MATERIALIZED VIEW DATA') return ''
  const all = new Map(entries.map((other) => [other.dumpId, other]))
  const seen = new Set<TocEntry>([entry])
  for (const { dependencies } of seen) for (const id of dependencies) if (all.has(id)) seen.add(all.get(id)!)
  const servers = [...seen].filter(({ desc }) => desc === 'SERVER').map(({ tag }) => `"${tag}"`)
  if (servers.length === 0) return ''
  return `. Refreshing the materialized view ${entry.namespace}.${entry.tag} reads from the foreign server ${servers.join(', ')}, which the server must reach with a user mapping of the restoring role; otherwise leave the view out of the dump (exclude-tables)`
}
