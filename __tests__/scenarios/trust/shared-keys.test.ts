/** Databases whose names become the same part of a key are two series: none is pruned, chosen or compared for the other. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Bench, type Inputs, startBench } from '../../../lab/benches/action-bench.ts'
import { type ActionRun, runAction } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

const NAMES = ['c07.eu', 'c07_eu', 'склад', 'касса'] as const

let bench: Bench

before(async () => {
  bench = await startBench()
  for (const name of NAMES) {
    await bench.postgres.createDatabase(name)
    await bench.postgres.psql(name, 'create table whoami as select current_database() as name')
  }
  await bench.postgres.psql('c07.eu', 'create table big as select generate_series(1, 1000) as id')
})
after(() => bench?.[Symbol.asyncDispose]())

const folderOf = (key: string) => key.slice(0, key.lastIndexOf('/'))

async function restored(reference: string, more: Inputs = {}): Promise<string> {
  succeeded(await bench.run('restore', 'folder', 'target', { 'dump-key': reference, ...more }))
  return (await bench.postgres.psql('target', 'select name from whoami')).trim()
}

const prune = (more: Inputs): Promise<ActionRun> =>
  runAction({ ...bench.inputs('list', 'folder', ''), command: 'prune', ...more })

const keysOf = (run: ActionRun, output: string) =>
  (JSON.parse(run.outputs[output]!) as (string | { key: string })[])
    .map((item) => (typeof item === 'string' ? item : item.key))
    .sort()

test('#49 two databases in a folder', async () => {
  const [first, second] = NAMES
  const instance = 'pair'
  const mine = [await bench.dump('folder', first, { instance })]
  // The second database is smaller, so a comparison of the two would fail the step.
  const other = await bench.dump('folder', second, { instance, 'keep-last': '1', 'fail-on-shrink': 'true' })
  assert.equal(folderOf(other), folderOf(mine[0]!))
  mine.unshift(await bench.dump('folder', first, { instance }))
  const everything = [...mine, other].sort()
  assert.deepEqual(keysOf(await bench.run('list', 'folder', '', { instance }), 'dumps'), everything)
  const one = await bench.run('list', 'folder', '', { 'dump-key': `${instance}/${second}` })
  assert.deepEqual(keysOf(one, 'dumps'), [other])

  const both = new RegExp(
    `covers several databases whose dumps share the keys ${folderOf(other)}: .*${instance}/${first}/none \\(newest ${mine[0]}\\)`,
  )
  for (const reference of ['latest', instance])
    failed(await bench.run('restore', 'folder', 'target', { 'dump-key': reference, instance }), both)
  assert.equal(await restored(`${instance}/${first}`), first)
  assert.equal(await restored(`${instance}/${second}/none`), second)
  assert.equal(await restored(other), second)

  const pruned = succeeded(await prune({ instance, 'keep-last': '1' }))
  assert.deepEqual(keysOf(pruned, 'deleted'), [mine[1]])
  assert.deepEqual(keysOf(pruned, 'kept'), [mine[0]!, other].sort())
  const own = succeeded(await prune({ 'dump-key': `${instance}/${first}`, 'keep-last': '1' }))
  assert.deepEqual(keysOf(own, 'kept'), [mine[0]])
})

test('#49 the dump of one database of a foreign alphabet does not prune, and is not chosen for, the other', async () => {
  const first = await bench.dump('folder', 'склад')
  const second = await bench.dump('folder', 'касса', { 'keep-last': '1', 'fail-on-shrink': 'true' })
  assert.equal(folderOf(first), folderOf(second))
  const [instance] = first.split('/')
  const chosen = await bench.run('list', 'folder', '', { 'dump-key': `${instance}/склад` })
  assert.deepEqual(keysOf(succeeded(chosen), 'dumps'), [first])
})

test('#49 a prefix that is only the key of another database does not lead to it', async () => {
  const key = await bench.dump('folder', 'c07.eu', { instance: 'alone' })
  const run = await bench.run('restore', 'folder', 'target', { 'dump-key': 'alone/c07_eu' })
  failed(run, /no committed dump of "alone\/c07_eu": the keys below .* belong to alone\/c07\.eu\/none/)
  assert.equal(await restored('latest', { instance: 'alone' }), 'c07.eu')
  assert.equal(await restored(key), 'c07.eu')
})

test('#49 two servers with a database of one name are two series, also in a config of the same key', async () => {
  const instance = 'servers'
  const { postgres } = bench
  const at = (host: string) => postgres.url('c07_eu').replace(/@[^:/]+/, `@${host}`)
  const dump = (host: string, config: string) =>
    bench.dump('folder', 'c07_eu', { instance, config, 'keep-last': '1', 'database-url': at(host) })
  const keys = [
    await dump('127.0.0.1', 'of.one'),
    await dump('localhost', 'of.one'),
    await dump('localhost', 'of_one'),
  ]
  for (const key of keys) assert.ok(existsSync(join(bench.folder, key)), key)
  const reference = `${instance}/c07_eu`
  failed(
    await bench.run('restore', 'folder', 'target', { 'dump-key': reference, config: 'of.one' }),
    new RegExp(`covers several databases.*${reference}@localhost.*, ${reference}@127.0.0.1/of\\.one `),
  )
  const restore = { 'dump-key': `${reference}@127.0.0.1` }
  const run = succeeded(await bench.run('restore', 'folder', 'target', restore))
  assert.equal(run.outputs['dump-key'], keys[0])
  const narrowed = await bench.run('restore', 'folder', 'target', { 'dump-key': reference, config: 'of_one' })
  assert.equal(succeeded(narrowed).outputs['dump-key'], keys[2])
})

test('#49 manifests of earlier releases, without true names, belong to the series of their key', async () => {
  const instance = 'earlier'
  const nameless = (key: string) => {
    const path = join(bench.folder, `${key}.json`)
    const { source, ...manifest } = JSON.parse(readFileSync(path, 'utf8'))
    assert.equal(source.database, 'c07_eu')
    writeFileSync(path, JSON.stringify(manifest))
  }
  const old = await bench.dump('folder', 'c07_eu', { instance })
  nameless(old)
  assert.equal(await restored(`${instance}/c07_eu`), 'c07_eu')
  const dotted = await bench.dump('folder', 'c07.eu', {
    instance,
    'keep-last': '1',
    'fail-on-shrink': 'true',
  })
  assert.equal(await restored(`${instance}/c07_eu`), 'c07_eu')
  const last = await bench.dump('folder', 'c07_eu', { instance, 'keep-last': '1' })
  const run = await bench.run('list', 'folder', '', { instance })
  assert.deepEqual(keysOf(run, 'dumps'), [dotted, last].sort())
})
