import { isAbsolute, join } from 'node:path'
import { childFailure, succeeded } from '../process/child.ts'
import type { Environment } from '../process/environment.ts'
import { run } from '../process/run.ts'
import { log } from '../report/log.ts'
import { type Connection, clientEnvironment } from './connection/connection.ts'

type Options = { psql: string; environment: Environment; workspace: string; signal: AbortSignal }

/**
 * Runs the statements of `verify-sql`. Each prints one column, and every row of it must be true.
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
    const isFile = /\.sql$/i.test(assertion)
    const file = isFile ? (isAbsolute(assertion) ? assertion : join(options.workspace, assertion)) : '-'
    const args = [
      '--no-psqlrc',
      '--no-align',
      '--tuples-only',
      '--quiet',
      '--no-password',
      '--set=ON_ERROR_STOP=1',
      `--file=${file}`,
    ]
    const { exit, stdout, child } = await run(options.psql, args, {
      env,
      input: isFile ? '' : `${assertion}\n;`,
      signal: options.signal,
    })
    if (!succeeded(exit)) {
      const cause = childFailure(child, exit)
      throw new Error(`verify-sql could not be run: ${assertion}: ${cause.message}`, { cause })
    }
    const rows = stdout.split(/\r?\n/).filter((line) => line !== '')
    const untrue = rows.filter((row) => row !== 't' && row !== 'true').length
    if (rows.length === 0 || untrue > 0) {
      const reason =
        rows.length === 0 ? 'it returned no row' : `${untrue} of ${rows.length} rows are not true`
      throw new Error(`verify-sql does not hold: ${assertion} (${reason})`)
    }
    log.info(`Holds: ${assertion}`)
  }
}
