import { compareVersions } from '../compare-versions.ts'
import { oneAtATime } from '../install.ts'
import type { ToolOptions } from '../options.ts'
import { readSystem } from '../system.ts'
import {
  chooseClient,
  majorsToInstall,
  type PostgresClient,
  type PostgresNeed,
  type WantedMajors,
} from './choose-client.ts'
import { howToInstall, installPostgres } from './postgres-install.ts'
import { findPostgresClients } from './postgres-search.ts'

export type { PostgresClient, PostgresNeed } from './choose-client.ts'
export { findPostgresClients } from './postgres-search.ts'

/** For the first look at a server whose version is not known yet: any psql can do that. */
const FIRST_LOOK: WantedMajors = { preferred: [16, 17, 18, 15, 14], reserve: [] }

/** Returns the newest client of this machine; installs one when there is none. */
export async function anyClient(options: ToolOptions): Promise<PostgresClient> {
  const newest = async () => {
    const clients = await findPostgresClients(options.environment)
    return clients.sort((a, b) => compareVersions(b.version, a.version))[0]
  }
  const { postgresVersion } = options
  const wanted = postgresVersion === 'auto' ? FIRST_LOOK : { preferred: [postgresVersion], reserve: [] }
  return (await newest()) ?? (await install(wanted, 'none was found', options, newest))
}

/** Returns the client that fits the need, and logs which one it is; installs one when no client of this machine fits. */
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
  const system = await readSystem(options.environment)
  const byHand = `Install one before this step: ${howToInstall(major, system)}`
  if (options.installTools === 'never') {
    const orAuto = system.packageManager === 'none' ? '' : ', or set install-tools to auto'
    throw new Error(`${missing} install-tools is never. ${byHand}${orAuto}.`)
  }
  const installation = await oneAtATime(async () => {
    // An installation that this one waited for may have brought the client.
    const found = await find()
    return found ? { found } : installPostgres(wanted, options, find)
  })
  if ('found' in installation) return installation.found
  throw new Error(`${missing} Installing it failed: ${installation.failures.join('; ')}. ${byHand}.`)
}
