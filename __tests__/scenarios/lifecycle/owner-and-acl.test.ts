/** C28: a dump holds owners and grants, a restore chooses, and who would lose his rights is named before the swap. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Inputs,
  type LifecycleBench,
  startLifecycleBench,
} from '../../../lab/benches/lifecycle-bench.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'

let bench: LifecycleBench
let key: string

const PASSWORD = 'simple-canary'

before(async () => {
  bench = await startLifecycleBench()
  const { postgres } = bench
  for (const name of ['deployer', 'shop_app', 'reporting'])
    await postgres.psql('postgres', `create role ${name} login createdb password '${PASSWORD}'`)
  for (const name of ['model', 'shop']) {
    await postgres.createDatabase(name, 'owner deployer')
    await postgres.psql(
      name,
      `set role deployer; create schema sales; create table sales.orders as select generate_series(1, 3) as id;
       grant usage on schema sales to shop_app; grant select, insert on sales.orders to shop_app;
       grant select (id) on sales.orders to reporting;
       create function sales.wipe() returns void language sql security definer as 'delete from sales.orders';
       revoke execute on function sales.wipe() from public; create function sales.open() returns int language sql as 'select 1'`,
    )
  }
  key = await bench.dump('model')
})
after(() => bench?.[Symbol.asyncDispose]())

const as = (user: string) => ({ user, password: PASSWORD })

const restore = (more: Inputs = {}) =>
  bench.run('restore', 'shop', {
    ...{ 'dump-key': key, overwrite: 'true', 'database-url': bench.postgres.url('shop', as('deployer')) },
    ...more,
  })

const roles = /The new "shop" (?:has|would have) no rights for the roles (.*?); set owner-and-acl: true/
const open = /The new "shop" (?:has|would have) functions that everybody may execute, .*: sales\.wipe\(\);/

test('owners and grants are in every dump, and owner-and-acl: true restores them without a warning', async () => {
  const run = succeeded(await restore({ 'owner-and-acl': 'true' }))
  assert.doesNotMatch(run.warnings.join('\n'), /no rights|everybody/)
  await using app = await bench.postgres.connect('shop', as('shop_app'))
  assert.equal(await app.text('select count(*) from sales.orders'), '3')
  await assert.rejects(app.query('select sales.wipe()'), /permission denied/)
})

test('a copy of files keeps them, which a dry run knows', async () => {
  const from = { 'source-database-url': bench.postgres.url('model'), 'copy-method': 'template' }
  for (const more of [{ 'dry-run': 'true' }, {}]) {
    const run = succeeded(await bench.run('copy', 'shop', { ...from, overwrite: 'true', ...more }))
    assert.doesNotMatch(run.warnings.join('\n'), /no rights|everybody/)
  }
})

test('who would lose his rights is named, also in a dry run, unless a hook grants them', async () => {
  const { postgres } = bench
  const granting = `psql -Xqc "grant usage on schema sales to shop_app; grant select on sales.orders to shop_app"`
  const hooked = succeeded(await restore({ 'pre-swap-hooks': granting, reversible: 'true' }))
  assert.equal(roles.exec(hooked.warnings.join('\n'))?.[1], 'reporting')
  succeeded(await restore({ 'dump-key': ':pre' }))
  for (const more of [{ 'dry-run': 'true' }, {}]) {
    const run = succeeded(await restore(more))
    assert.equal(roles.exec(run.warnings.join('\n'))?.[1], 'reporting, shop_app')
    assert.match(run.warnings.join('\n'), open)
  }
  const app = await postgres.connect('shop', as('shop_app'))
  await assert.rejects(app.query('select count(*) from sales.orders'), /permission denied/)
  await app.end()
  // Now there is nothing to lose.
  assert.doesNotMatch(succeeded(await restore()).warnings.join('\n'), /no rights|everybody/)
})
