import type { ToolEnvironment } from '../../src/tools/options.ts'
import { howToInstall } from '../../src/tools/postgres/postgres-install.ts'
import { findPostgresClients } from '../../src/tools/postgres/provide-client.ts'
import { readSystem } from '../../src/tools/system.ts'

/** The major to install where there is none: its psql connects to every server that can mask. */
const NEWEST = 18

/**
 * Returns the newest psql of a machine. Any of them can read the catalog of any server.
 *
 * @throws an Error that says what to install
 */
export async function findPsql(environment: ToolEnvironment): Promise<string> {
  const clients = await findPostgresClients(environment)
  const newest = clients.toSorted((a, b) => b.major - a.major)[0]
  if (newest) return newest.psql
  throw new Error(`psql is missing; install ${howToInstall(NEWEST, await readSystem(environment))}`)
}
