import { type Child, childFailure, endChild, startChild, succeeded } from '../process/child.ts'
import type { Source } from '../process/transfer.ts'
import { lockTableHint } from './full-lock-table.ts'
import { RECOVERY_CONFLICT } from './standby.ts'
import { largeWrites } from './stdio-buffer.ts'

/** What to dump. The lists contain patterns of `pg_dump`. */
export type Contents = {
  tables: readonly string[]
  excludeTables: readonly string[]
  schemas: readonly string[]
  excludeSchemas: readonly string[]
  excludeTableData: readonly string[]
  /** Extensions that go along with chosen tables or schemas. */
  extensions?: readonly string[]
  schemaOnly: boolean
  /** Milliseconds. */
  lockWaitTimeout: number
  pgDumpArgs: readonly string[]
}

/**
 * Returns the arguments of `pg_dump`, without the database, which is in `PGDATABASE`.
 *
 * @param compressor which of the two compresses the dump
 */
export function dumpArguments(contents: Contents, compressor: 'action' | 'pg_dump'): string[] {
  const each = (option: string, values: readonly string[]) => values.map((value) => `--${option}=${value}`)
  return [
    '--format=custom',
    '--no-password',
    // This action compresses on all cores, after counting the rows.
    ...(compressor === 'action' ? ['--compress=0'] : []),
    `--lock-wait-timeout=${contents.lockWaitTimeout}`,
    ...(contents.schemaOnly ? ['--schema-only'] : []),
    ...(contents.tables.length + contents.schemas.length > 0 ? ['--strict-names'] : []),
    ...each('table', contents.tables),
    ...each('exclude-table', contents.excludeTables),
    ...each('schema', contents.schemas),
    ...each('exclude-schema', contents.excludeSchemas),
    ...each('exclude-table-data', contents.excludeTableData),
    ...each('extension', contents.extensions ?? []),
    ...contents.pgDumpArgs,
  ]
}

/** Returns the filters that were given, for the manifest. */
export function dumpFilters(contents: Contents): Record<string, string[] | boolean> {
  const { tables, excludeTables, schemas, excludeSchemas, excludeTableData, schemaOnly, pgDumpArgs } =
    contents
  const lists = { tables, excludeTables, schemas, excludeSchemas, excludeTableData, pgDumpArgs }
  const given = Object.entries(lists).filter(([, list]) => list.length > 0)
  return {
    ...Object.fromEntries(given.map(([name, list]) => [name, [...list]])),
    ...(schemaOnly ? { schemaOnly } : {}),
  }
}

/** Starts `pg_dump` as the source of a transfer. */
export function startDump(pgDump: string, args: readonly string[], env: Record<string, string>): Source {
  const child = startChild(pgDump, args, { env: { ...env, ...largeWrites(env) }, stdout: 'stream' })
  return {
    stream: child.stdout,
    finish: () => finishDump(child),
    abort: () => endChild(child, ['SIGTERM', 'SIGKILL'], 1500).then(() => undefined),
  }
}

/**
 * Returns the output of a pg_dump, which ends only when pg_dump has succeeded, so that its own reason is the first error. It
 * is read from now on: Node discards what a program has written if it ends before its output is read (flushStdio in
 * lib/internal/child_process.js).
 */
export function untilFinished(dump: Source): AsyncGenerator<Buffer> {
  const output = outputOf(dump)
  const first = output.next()
  first.catch(() => undefined) // reported where the output is read
  return (async function* () {
    const { done, value } = await first
    if (done) return
    yield value
    yield* output
  })()
}

async function* outputOf(dump: Source): AsyncGenerator<Buffer> {
  yield* dump.stream
  await dump.finish()
}

/** Waits for the end of a program that reads a database. @throws an Error that explains why it failed */
export async function finishDump(child: Child): Promise<void> {
  const exit = await child.exited
  if (!succeeded(exit)) throw explainDump(child.tail, childFailure(child, exit))
}

/** Replaces known errors of pg_dump by one sentence that names the fix. */
function explainDump(tail: readonly string[], failure: Error): Error {
  const text = tail.join('\n')
  // pg_dump implements --lock-wait-timeout as a statement_timeout for its LOCK TABLE, and sets all other limits to 0.
  const lock = /canceling statement due to (lock|statement) timeout/.test(text)
  if (lock) {
    return new Error(
      'pg_dump waited too long for a table that another session has locked; nothing was dumped. End that session, or raise lock-wait-timeout',
      { cause: failure },
    )
  }
  const full = lockTableHint(
    text,
    'dump parts of the database (schemas, tables), because pg_dump locks every table that it dumps',
  )
  if (full) return new Error(`pg_dump failed: out of shared memory${full}`, { cause: failure })
  // This comes before the check for a lost connection, in which the conflict ends.
  if (RECOVERY_CONFLICT.words.test(text)) return new Error(RECOVERY_CONFLICT.sentence, { cause: failure })
  if (
    /server closed the connection|connection to server was lost|SSL SYSCALL error|could not receive data/.test(
      text,
    )
  ) {
    return new Error(`The connection to the database was cut in the middle of the dump. ${failure.message}`, {
      cause: failure,
    })
  }
  const largeObject = /permission denied for (large object (\d+))/.exec(text)
  if (largeObject)
    return new Error(
      `The role may not read ${largeObject[1]}, and pg_read_all_data does not cover large objects. As its owner or a superuser, run GRANT SELECT ON LARGE OBJECT ${largeObject[2]} for this role and the same for every other one (pg_largeobject_metadata lists them), or leave all of them out with pg-dump-args: --no-blobs`,
      { cause: failure },
    )
  const denied = /permission denied for (.*)/.exec(text)?.[0]
  if (denied)
    return new Error(
      `The role may not read everything: ${denied}. Grant it pg_read_all_data, or leave the object out`,
      { cause: failure },
    )
  return failure
}
