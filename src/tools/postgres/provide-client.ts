import { compareVersions } from '../compare-versions.ts'
import { oneAtATime } from '../install.ts'
import type { ToolOptions } from '../options.ts'
import { chooseClient, majorsToInstall, type PostgresClient, type PostgresNeed } from './choose-client.ts'
import { installPostgres, type WantedMajors } from './postgres-install.ts'
import { findPostgresClients } from './postgres-search.ts'

export type { PostgresClient, PostgresNeed } from './choose-client.ts'
export { clientWarnings } from './client-warnings.ts'
export { findPostgresClients } from './postgres-search.ts'

/** For the first look at a server whose version we do not know yet; any psql serves, so best the one at hand. */
const FIRST_LOOK: WantedMajors = { preferred: [16, 17, 18, 15, 14], reserve: [] }

/** The newest client at hand; installs one when there is none. */
export async function anyClient(options: ToolOptions): Promise<PostgresClient> {
  const newest = async () => {
    const clients = await findPostgresClients(options.environment)
    return clients.sort((a, b) => compareVersions(b.version, a.version))[0]
  }
  const { postgresVersion } = options
  const wanted = postgresVersion === 'auto' ? FIRST_LOOK : { preferred: [postgresVersion], reserve: [] }
  return (await newest()) ?? (await install(wanted, 'none was found', options, newest))
}

/** The client that fits the need; installs one when none at hand does. Logs which one it is. */
export async function provideClient(need: PostgresNeed, options: ToolOptions): Promise<PostgresClient> {
  const choose = async () =>
    chooseClient(await findPostgresClients(options.environment), need, options.postgresVersion)
  const first = await choose()
  const chosen =
    'client' in first
      ? first
      : await install(majorsToInstall(need, options.postgresVersion), first.reason, options, async () => {
          const choice = await choose()
          return 'client' in choice ? choice : undefined
        })
  const { client, reason } = chosen
  options.log(`PostgreSQL client ${client.version} in ${client.directory} (${reason})`)
  return client
}

async function install<T>(
  wanted: WantedMajors,
  reason: string,
  options: ToolOptions,
  find: () => Promise<T | undefined>,
): Promise<T> {
  const major = wanted.preferred[0]!
  const missing = `A PostgreSQL client (pg_dump, pg_restore, psql) is missing: ${reason}.`
  const byHand =
    `Install one before this step, for example postgresql-client-${major} on Debian or Ubuntu, ` +
    `postgresql${major}-client on Alpine, or postgresql@${major} with Homebrew`
  if (options.installTools === 'never') {
    throw new Error(`${missing} install-tools is never. ${byHand}, or set install-tools to auto.`)
  }
  const failures: string[] = []
  // Whoever installed before us may have brought what we want.
  const found = await oneAtATime(
    async () => (await find()) ?? installPostgres(wanted, options, find, failures),
  )
  if (found) return found
  throw new Error(`${missing} Installing it failed: ${failures.join('; ')}. ${byHand}.`)
}
