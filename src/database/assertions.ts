import { childFailure, succeeded } from '../process/child.ts'
import type { Environment } from '../process/environment.ts'
import { run } from '../process/run.ts'
import { formatQuantity } from '../report/format.ts'
import { log } from '../report/log.ts'
import { type Connection, clientEnvironment } from './connection/connection.ts'
import { PSQL_SCRIPT_OPTIONS } from './connection/psql-options.ts'
import { sqlPath } from './sql-file.ts'

type Options = { psql: string; environment: Environment; workspace: string; signal: AbortSignal }

/**
 * Runs the statements of `verify-sql`. Every statement that has a result must return at least one row, and each row must be
 * true. NULL is not true. At least one statement must have a result, so that a file may also prepare something.
 *
 * @throws an Error that names the first assertion that does not hold
 */
export async function checkAssertions(
  assertions: readonly string[],
  connection: Connection,
  options: Options,
): Promise<void> {
  const env = clientEnvironment(connection, options.environment)
  for (const assertion of assertions) {
    const file = sqlPath(assertion, options.workspace)
    const args = [
      ...PSQL_SCRIPT_OPTIONS,
      // Footers separate the results, and zero bytes separate the records, because no text of a row contains one.
      '--no-align',
      '--record-separator-zero',
      '--pset=footer=on',
      `--file=${file ?? '-'}`,
    ]
    const { exit, stdout, child } = await run(options.psql, args, {
      // The footer is parsed, so it must not be translated.
      env: { ...env, LC_ALL: 'C' },
      group: true,
      input: file ? '' : `${assertion}\n;`,
      signal: options.signal,
    })
    if (!succeeded(exit)) {
      const cause = childFailure(child, exit)
      throw new Error(`verify-sql could not be run: ${assertion}: ${cause.message}`, { cause })
    }
    const reason = whyUntrue(stdout)
    if (reason !== null) throw new Error(`verify-sql does not hold: ${assertion} (${reason})`)
    log.info(`Holds: ${assertion}`)
  }
}

/** Returns why the output of psql does not show that every row is true, or null. */
function whyUntrue(output: string): string | null {
  const results = readResults(output)
  if (results === null) return 'its output cannot be read; a file must not change how psql prints results'
  for (const rows of results.length > 0 ? results : [[]]) {
    if (rows.length === 0) return 'it returned no row'
    const untrue = rows.filter((row) => row !== 't' && row !== 'true').length
    if (untrue > 0)
      return `${untrue} of ${formatQuantity(rows.length, 'row')} ${untrue === 1 ? 'is' : 'are'} not true`
  }
  return null
}

/** Returns the rows of each result. psql prints column names, the rows and their number; anything else gives null. */
function readResults(output: string): string[][] | null {
  const records = output.split('\0')
  const rest = records.pop()!
  if (rest.trim() !== '') return null
  const results: string[][] = []
  let rows: string[] | null = null
  for (const record of records) {
    const footer = /^\((\d+) rows?\)$/.exec(record)
    if (rows === null) rows = []
    else if (footer && Number(footer[1]) === rows.length) {
      results.push(rows)
      rows = null
    } else rows.push(record)
  }
  return rows === null ? results : null
}
