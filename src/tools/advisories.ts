import type { PostgresClient } from './pair-rule.ts'
import { compareVersions } from './version.ts'

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

/** One sentence for every known flaw of this client, with the release that mends it. */
export function clientWarnings(client: PostgresClient): string[] {
  return ADVISORIES.flatMap(({ id, harm, fixed }) => {
    const firstGood = fixed[client.major]
    const oldestMended = Math.min(...Object.keys(fixed).map(Number))
    if (firstGood ? compareVersions(client.version, firstGood) >= 0 : client.major > oldestMended) return []
    const cure = firstGood
      ? `update it to ${firstGood} or newer`
      : `no release of major ${client.major} mends it`
    return `PostgreSQL client ${client.version} has ${id} (${harm}): ${cure}.`
  })
}
