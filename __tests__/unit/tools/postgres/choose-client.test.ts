import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  chooseClient,
  majorsToInstall,
  type PostgresClient,
  type PostgresNeed,
} from '../../../../src/tools/postgres/choose-client.ts'

function client(version: string): PostgresClient {
  const directory = `/usr/lib/postgresql/${version}/bin`
  const [pgDump, pgRestore, psql] = ['pg_dump', 'pg_restore', 'psql'].map((name) => `${directory}/${name}`)
  return {
    directory,
    version,
    major: Number.parseInt(version, 10),
    pgDump: pgDump!,
    pgRestore: pgRestore!,
    psql: psql!,
  }
}

const dump = (serverMajor: number): PostgresNeed => ({ purpose: 'dump', serverMajor })
const restore = (serverMajor: number, archiveClientMajor?: number): PostgresNeed => {
  return { purpose: 'restore', serverMajor, ...(archiveClientMajor && { archiveClientMajor }) }
}

/** Clients at hand, need, requested, and the version chosen or the major that is missing. */
const CHOICES: [string[], PostgresNeed, number | 'auto', string | number][] = [
  // Dumping a server up to 16: up to 16 first, newest first, never one older than the server.
  [['15.18', '16.14', '17.10', '18.4'], dump(13), 'auto', '16.14'],
  [['15.18', '14.23'], dump(13), 'auto', '15.18'],
  [['15.18', '14.23'], dump(16), 'auto', 16],
  [['18.4', '17.10'], dump(13), 'auto', '17.10'],
  [['18.4', '15.18'], dump(16), 'auto', '18.4'],
  [[], dump(10), 'auto', 16],
  // Dumping a newer server: the newest.
  [['16.14', '17.10', '18.4'], dump(17), 'auto', '18.4'],
  [['16.14', '17.10'], dump(18), 'auto', 18],
  [[], dump(17), 'auto', 17],
  // Two builds of one major: the newer release.
  [['16.4', '16.14', '16.10'], dump(16), 'auto', '16.14'],
  // Restoring: the archive sets the lower bound.
  [['15.18', '16.14', '17.10'], restore(13, 15), 'auto', '16.14'],
  [['15.18', '16.14'], restore(13, 17), 'auto', 17],
  [['15.18', '17.10', '18.4'], restore(15, 17), 'auto', '17.10'],
  [['15.18', '16.14'], restore(14, 16), 'auto', '16.14'],
  [['15.18', '17.10'], restore(13, 16), 'auto', '17.10'],
  [['15.18'], restore(17, 16), 'auto', 17],
  [['16.14', '18.4'], restore(17, 16), 'auto', '18.4'],
  [['17.10', '18.4'], restore(16), 'auto', '17.10'],
  // pg_restore has no upper limit for the server, so an older one is better than none.
  [['14.23', '15.18'], restore(17, 14), 'auto', '15.18'],
  [['15.18'], restore(17), 'auto', '15.18'],
  // What is asked for wins, as long as it can do the work.
  [['15.18', '16.14', '18.4'], dump(15), 18, '18.4'],
  [['15.18', '16.14'], dump(15), 15, '15.18'],
  [['15.18', '16.14'], dump(15), 17, 17],
  [['14.23', '16.14'], restore(16, 14), 14, '14.23'],
]

for (const [versions, need, requested, expected] of CHOICES) {
  test(`chooses among ${versions.join(', ') || 'none'} for ${JSON.stringify(need)}, ${requested}`, () => {
    const choice = chooseClient(versions.map(client), need, requested)
    assert.equal('client' in choice ? choice.client.version : choice.missing, expected)
    assert.notEqual(choice.reason, '')
  })
}

test('#03 says why a second choice was taken, and what was found when none fits', () => {
  const reason = (versions: string[], need: PostgresNeed) =>
    chooseClient(versions.map(client), need, 'auto').reason
  assert.match(
    reason(['17.10'], restore(13, 15)),
    /newer than ideal .* PostgreSQL 13 .* no client from 13 to 16/,
  )
  assert.match(reason(['15.18'], restore(17, 15)), /older than .* pg_restore loads into newer servers/)
  assert.match(
    reason(['15.18'], dump(17)),
    /needs a client of major 17 or newer; found: 15\.18 in \/usr\/lib/,
  )
  assert.match(reason([], restore(15)), /PostgreSQL 15 .* 15 or newer; found: none/)
})

test('#03 #26 refuses a requested version that cannot do the work', () => {
  const cannotDump =
    /^postgres-version: 15 cannot be used: the server is PostgreSQL 17.*Set it to 17 or newer/
  assert.throws(() => chooseClient([client('15.18')], dump(17), 15), { message: cannotDump })
  const cannotRead = /^postgres-version: 15 cannot be used: the dump was written by pg_dump 16/
  assert.throws(() => chooseClient([client('15.18')], restore(14, 16), 15), { message: cannotRead })
})

const INSTALLS: [PostgresNeed, number | 'auto', number[], number[]][] = [
  [dump(14), 'auto', [16, 15, 14], [17, 18]],
  [dump(16), 'auto', [16], [17, 18]],
  [dump(17), 'auto', [17, 18, 19], []],
  [restore(13, 15), 'auto', [16, 15], [17, 18]],
  [restore(13, 17), 'auto', [17, 18, 19], []],
  [restore(18, 16), 'auto', [18, 19, 20], []],
  [dump(14), 17, [17], []],
]

for (const [need, requested, preferred, reserve] of INSTALLS) {
  test(`installs for ${JSON.stringify(need)}, ${requested}: ${preferred}, then ${reserve}`, () => {
    assert.deepEqual(majorsToInstall(need, requested), { preferred, reserve })
  })
}
