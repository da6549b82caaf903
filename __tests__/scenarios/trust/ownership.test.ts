/** What a step may replace and drop without being told to is what the mark says of a database under its present name. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { comment, type Inputs, mark, marker, useDumpedSource } from '../../../lab/benches/lifecycle-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

const { bench, key } = await useDumpedSource()

const restore = (database: string, more: Inputs = {}) =>
  bench.run('restore', database, { 'dump-key': key, ...more })
const copy = (database: string, more: Inputs = {}) =>
  bench.run('copy', database, { 'source-database-url': bench.postgres.url('source'), ...more })

/** No step replaces or drops the database without a flag. */
async function assertKept(name: string): Promise<void> {
  const before = await comment(bench, name)
  failed(await restore(name), /was not made by this action; set overwrite: true/)
  failed(await copy(name), /was not made by this action; set overwrite: true/)
  failed(await bench.run('drop', name), /was not made by this action; set force: true/)
  assert.equal(await comment(bench, name), before)
  assert.equal(await bench.state(name), 'dumped')
}

test('#43 disposable: false takes the mark off what goes into production', async () => {
  for (const [name, write] of Object.entries({ live_restored: restore, live_copied: copy })) {
    succeeded(await write(name, { disposable: 'false' }))
    assert.equal(await comment(bench, name), null)
    await assertKept(name)
    // It stays off, as the user's own comment would, and restore points do not change that.
    succeeded(await write(name, { overwrite: 'true', reversible: 'true' }))
    await assertKept(name)
  }
  succeeded(await restore('promoted'))
  assert.equal((await marker(bench, 'promoted'))?.kind, 'clone')
  succeeded(await copy('promoted', { disposable: 'false' }))
  await assertKept('promoted')
  failed(await restore('promoted', { disposable: 'false', swap: 'false' }), /disposable: false requires swap/)
})

test('#43 a clone or restore point that was renamed is what its user made of it', async () => {
  const { postgres } = bench
  succeeded(await restore('preview'))
  await postgres.psql('postgres', 'alter database preview rename to shop')
  await assertKept('shop')
  succeeded(await restore('app'))
  succeeded(await restore('app', { reversible: 'true' }))
  await postgres.psql('postgres', 'drop database app')
  await postgres.psql('postgres', 'alter database app__pre rename to app')
  await assertKept('app')
  succeeded(await restore('app', { overwrite: 'true' }))
  assert.equal(await comment(bench, 'app'), null)
})

test('#43 a restore point is not a place for another database, and a clone of its name is not a restore point', async () => {
  succeeded(await restore('web'))
  succeeded(await restore('web', { reversible: 'true' }))
  failed(await restore('web__pre'), /"web__pre" is a restore point of "web"; set overwrite: true/)
  succeeded(await restore('web__pre', { overwrite: 'true' }))
  assert.equal(await comment(bench, 'web__pre'), null)
  await mark(bench, 'web__pre', { kind: 'clone', of: 'web__pre' })
  failed(await restore('web', { reversible: 'true' }), /it is not a restore point of "web"/)
  succeeded(await bench.run('drop', 'web'))
  const left = (await bench.postgres.databases()).filter((name) => name.startsWith('web'))
  assert.deepEqual(left, ['web__pre'])
})
