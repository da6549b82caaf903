import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientWarnings } from '../../src/tools/postgres.ts'

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
  ['13.22', ['no release of major 13']],
  ['12.22', ['no release of major 12', 'no release of major 12']],
  ['19.0', []],
]

for (const [version, cures] of FLAWS) {
  test(`client ${version} needs ${cures.join(' and ') || 'nothing'}`, () => {
    const warnings = clientWarnings(client(version))
    assert.equal(warnings.length, cures.length)
    for (const [index, cure] of cures.entries()) assert.ok(warnings[index]?.includes(cure), warnings[index])
  })
}

test('a warning names the version and the flaw', () => {
  assert.match(
    clientWarnings(client('16.13'))[0]!,
    /^PostgreSQL client 16\.13 has CVE-2026-6477 .*16\.14 or newer/,
  )
})
