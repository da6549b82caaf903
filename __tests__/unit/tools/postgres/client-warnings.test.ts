import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientWarnings } from '../../../../src/tools/postgres/provide-client.ts'

const client = (version: string) => {
  const major = Number.parseInt(version, 10)
  return {
    directory: '/bin',
    major,
    version,
    pgDump: '/bin/pg_dump',
    pgRestore: '/bin/pg_restore',
    psql: '/bin/psql',
  }
}

/** Version, and for each flaw it has the release that mends it. */
const FLAWS: [string, string[]][] = [
  ['18.4', []],
  ['18.3', ['18.4']],
  ['17.10', []],
  ['17.9', ['17.10']],
  ['17.5', ['17.6', '17.10']],
  ['16.14', []],
  ['15.18', []],
  ['15.13', ['15.14', '15.18']],
  ['14.23', []],
  ['14.9', ['14.19', '14.23']],
  ['13.22', ['no release of major 13 mends it, use 16.14']],
  ['12.22', ['use 16.10', 'use 16.14', 'no fixes for years']],
  ['19.0', []],
]

/** A day on which every major from 13 on still got fixes. */
const EARLY = new Date('2025-11-01')

for (const [version, cures] of FLAWS) {
  test(`client ${version} needs ${cures.join(' and ') || 'nothing'}`, () => {
    const warnings = clientWarnings(client(version), EARLY)
    assert.equal(warnings.length, cures.length)
    for (const [index, cure] of cures.entries()) assert.ok(warnings[index]?.includes(cure), warnings[index])
  })
}

/** Version, day, and since when there have been no fixes. */
const ENDS: [string, string, string | null][] = [
  ['14.24', '2026-11-11', null],
  ['14.24', '2026-11-24', 'since 2026-11-12'],
  ['15.18', '2026-11-24', null],
  ['15.18', '2028-01-01', 'since 2027-11-11'],
  ['18.6', '2026-11-24', null],
  ['19.0', '2026-11-24', null],
]

for (const [version, day, since] of ENDS) {
  test(`on ${day} client ${version} has had ${since ? `no fixes ${since}` : 'fixes'}`, () => {
    const warnings = clientWarnings(client(version), new Date(day))
    const expected = `PostgreSQL client ${version} has had no fixes ${since}: use client 16 or newer (postgres-version).`
    assert.deepEqual(warnings, since ? [expected] : [])
  })
}

test('a warning names the version and the flaw', () => {
  assert.match(
    clientWarnings(client('16.13'))[0]!,
    /^PostgreSQL client 16\.13 has CVE-2026-6477 .*16\.14 or newer/,
  )
})
