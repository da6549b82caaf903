import { compareVersions } from '../compare-versions.ts'

/** The three programs of one PostgreSQL release in one folder. */
export type PostgresClient = {
  directory: string
  major: number
  /** As in `15.18`. */
  version: string
  pgDump: string
  pgRestore: string
  psql: string
}

export type PostgresNeed = {
  serverMajor: number
  purpose: 'dump' | 'restore'
  /** When restoring: major of the pg_dump that wrote the archive. */
  archiveClientMajor?: number
}

export type Choice = { client: PostgresClient; reason: string } | { missing: number; reason: string }

/** The last major whose pg_restore sends no setting that servers up to that major do not know. */
const LAST_WITHOUT_TRANSACTION_TIMEOUT = 16

/** How many majors above the first fitting one are worth trying to install. */
const NEWER_MAJORS = 2

/**
 * The oldest client that can do the work. The rules, as measured:
 * - pg_dump refuses a server of a newer major; pg_restore refuses an archive of a newer archive version. Only this
 *   function knows it: where an archive's header is rewritten on the way, leave `archiveClientMajor` out.
 * - pg_restore 17 and newer start with `SET transaction_timeout`, which servers up to 16 do not know. The restore
 *   tolerates that one error, so these clients are the second choice.
 * - pg_restore has no upper limit for the server: an older one loads into a newer server, as the last choice.
 */
function oldestUsable(need: PostgresNeed): number {
  return need.purpose === 'dump' ? need.serverMajor : (need.archiveClientMajor ?? 0)
}

/** How well a major fits; higher is better, null means that it cannot be used. */
function fitness(major: number, need: PostgresNeed): number | null {
  if (major < oldestUsable(need)) return null
  if (major < need.serverMajor) return major - 1000
  if (need.serverMajor <= LAST_WITHOUT_TRANSACTION_TIMEOUT && major > LAST_WITHOUT_TRANSACTION_TIMEOUT)
    return -major
  return major
}

/** Majors to install, best first. Those in `reserve` are the last choice, after all sources of the preferred ones. */
export type WantedMajors = { preferred: number[]; reserve: number[] }

/** The majors worth installing. */
export function majorsToInstall(need: PostgresNeed, requested: number | 'auto'): WantedMajors {
  if (requested !== 'auto') return { preferred: [requested], reserve: [] }
  const first = Math.max(oldestUsable(need), need.serverMajor)
  const last = LAST_WITHOUT_TRANSACTION_TIMEOUT
  if (first > last) return { preferred: range(first, first + NEWER_MAJORS), reserve: [] }
  return { preferred: range(first, last).reverse(), reserve: range(last + 1, last + NEWER_MAJORS) }
}

/**
 * Picks the client for a server, or says which major to install.
 *
 * @throws when `postgres-version` asks for a client that cannot do the work.
 */
export function chooseClient(
  clients: readonly PostgresClient[],
  need: PostgresNeed,
  requested: number | 'auto',
): Choice {
  if (requested !== 'auto') refuseUnusable(requested, need)
  const rated = clients
    .filter(({ major }) => requested === 'auto' || major === requested)
    .map((client) => ({ client, fit: fitness(client.major, need) }))
    .filter((entry): entry is { client: PostgresClient; fit: number } => entry.fit !== null)
    .sort((a, b) => b.fit - a.fit || compareVersions(b.client.version, a.client.version))
  const best = rated[0]?.client
  if (best) return { client: best, reason: reasonFor(best.major, need, requested) }
  const missing = majorsToInstall(need, requested).preferred[0]!
  return { missing, reason: reasonMissing(clients, need, requested) }
}

function refuseUnusable(requested: number, need: PostgresNeed): void {
  const oldest = oldestUsable(need)
  if (requested >= oldest) return
  const cause =
    need.purpose === 'dump'
      ? `the server is PostgreSQL ${oldest}, and pg_dump refuses a server newer than itself`
      : `the dump was written by pg_dump ${oldest}, and an older pg_restore may not be able to read it`
  throw new Error(
    `postgres-version: ${requested} cannot be used: ${cause}. Set it to ${oldest} or newer, or to auto.`,
  )
}

function reasonFor(major: number, need: PostgresNeed, requested: number | 'auto'): string {
  const server = `a PostgreSQL ${need.serverMajor} server`
  if (requested !== 'auto') return `postgres-version: ${requested}, for ${server}`
  if (major < need.serverMajor) return `older than ${server}, but pg_restore loads into newer servers`
  if (need.serverMajor <= LAST_WITHOUT_TRANSACTION_TIMEOUT && major > LAST_WITHOUT_TRANSACTION_TIMEOUT) {
    return `newer than ideal for ${server}: no client from ${need.serverMajor} to ${LAST_WITHOUT_TRANSACTION_TIMEOUT} was found`
  }
  return `fits ${server}`
}

function reasonMissing(
  clients: readonly PostgresClient[],
  need: PostgresNeed,
  requested: number | 'auto',
): string {
  const found = clients.map(({ version, directory }) => `${version} in ${directory}`).join(', ')
  const wanted =
    requested === 'auto'
      ? `PostgreSQL ${need.serverMajor} needs a client of major ${oldestUsable(need) || need.serverMajor} or newer`
      : `postgres-version asks for client ${requested}`
  return `${wanted}; found: ${found || 'none'}`
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
