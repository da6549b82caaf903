import { compareVersions } from '../compare-versions.ts'
import type { PostgresClient } from './choose-client.ts'

/** Flaws of the client programs, with the first release of each major that mends them. */
const ADVISORIES = [
  {
    id: 'CVE-2025-8714',
    harm: 'a hostile source server can plant commands in SQL that psql then runs on this machine',
    // https://www.postgresql.org/support/security/CVE-2025-8714/
    fixed: { 13: '13.22', 14: '14.19', 15: '15.14', 16: '16.10', 17: '17.6' } as Record<number, string>,
  },
  {
    id: 'CVE-2026-6477',
    harm: 'a hostile server can overwrite memory of pg_dump',
    // https://www.postgresql.org/support/security/CVE-2026-6477/
    fixed: { 14: '14.23', 15: '15.18', 16: '16.14', 17: '17.10', 18: '18.4' } as Record<number, string>,
  },
]

/** The last major that serves every server up to its own, and so the one to take in place of an older one. */
const UNIVERSAL = 16

/** The day of each major's last release (https://www.postgresql.org/support/versioning/). */
const LAST_RELEASE: Record<number, string> = {
  13: '2025-11-13',
  14: '2026-11-12',
  15: '2027-11-11',
  16: '2028-11-09',
  17: '2029-11-08',
  18: '2030-11-14',
}

/** One sentence for every known flaw of this client, with the release that mends it, and one when it gets no more fixes. */
export function clientWarnings(client: PostgresClient, now = new Date()): string[] {
  return [...flaws(client), ...endOfLife(client, now)]
}

function flaws(client: PostgresClient): string[] {
  return ADVISORIES.flatMap(({ id, harm, fixed }) => {
    const firstGood = fixed[client.major]
    const oldestMended = Math.min(...Object.keys(fixed).map(Number))
    if (firstGood ? compareVersions(client.version, firstGood) >= 0 : client.major > oldestMended) return []
    const cure = firstGood
      ? `update it to ${firstGood} or newer`
      : `no release of major ${client.major} mends it, use ${fixed[UNIVERSAL]} or newer`
    return `PostgreSQL client ${client.version} has ${id} (${harm}): ${cure}.`
  })
}

function endOfLife({ major, version }: PostgresClient, now: Date): string[] {
  const oldest = Math.min(...Object.keys(LAST_RELEASE).map(Number))
  const day = LAST_RELEASE[major]
  if (day ? now <= new Date(day) : major >= oldest) return []
  const since = day ? `since ${day}` : 'for years'
  return [
    `PostgreSQL client ${version} has had no fixes ${since}: use client ${UNIVERSAL} or newer (postgres-version).`,
  ]
}
