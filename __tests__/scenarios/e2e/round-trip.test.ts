import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type Bench, type Place, startBench } from '../../../lab/benches/action-bench.ts'
import { assertNothingLeft } from '../../../lab/leftovers.ts'
import { findClients } from '../../../lab/postgres/clients.ts'
import { compareDatabases, readTables } from '../../../lab/postgres/compare.ts'
import { loadSample } from '../../../lab/postgres/sample.ts'
import { type ActionRun, runPost } from '../../../lab/runner/action.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'

const execute = promisify(execFile)
const bin = findClients()[0]?.bin ?? ''
let bench: Bench
let rows: number
let tables: number

before(async () => {
  bench = await startBench()
  await loadSample(bench.postgres, 'shop', { scale: 0.01 })
  // A materialized view is made anew by a restore: its rows are not in the dump.
  const contents = await readTables(bench.postgres, 'shop')
  contents.delete('reporting.monthly_sales')
  tables = contents.size
  rows = [...contents.values()].reduce((sum, table) => sum + table.rows, 0)
})
after(() => bench?.[Symbol.asyncDispose]())

const same = async (source: string, copy: string) =>
  assert.deepEqual(await compareDatabases(bench.postgres, source, bench.postgres, copy), [])

const clientEnvironment = (database: string) => ({ ...process.env, ...bench.postgres.env(database) })

/** The key of the first dump in the folder, which later tests read. */
let stored: string

/** The post step of a run that went well has nothing to do and says nothing. */
async function assertIdlePost(run: ActionRun): Promise<void> {
  const post = succeeded(await runPost(run))
  assert.equal(post.visibleLog, '')
  assert.deepEqual(post.outputs, {})
}

for (const place of ['folder', 's3'] as const satisfies Place[]) {
  test(`dump, list and restore through a ${place}`, async () => {
    const { postgres, s3, folder } = bench
    const dumped = succeeded(await bench.run('dump', place, 'shop'))
    const key = dumped.outputs['dump-key']!
    if (place === 'folder') stored = key
    const bytes = place === 's3' ? await s3.read(`nightly/${key}`) : readFileSync(join(folder, key))
    const manifest = JSON.parse(
      String(
        place === 's3' ? await s3.read(`nightly/${key}.json`) : readFileSync(join(folder, `${key}.json`)),
      ),
    )
    assert.match(key, /^shop\/shop\/none\/\d{4}(-\d\d){5}-\d{6}\.dump$/)
    const { 'duration-ms': duration, report, ...outputs } = dumped.outputs
    assert.equal(JSON.parse(report!).status, 'success')
    assert.ok(Number(duration) > 0)
    assert.deepEqual(outputs, {
      'dump-key': key,
      'dump-uri': place === 's3' ? `s3://${s3.bucket}/nightly/${key}` : join(folder, key),
      'dump-size': String(bytes.length),
      'dump-sha256': manifest.sha256,
      'created-at': manifest.createdAt,
      'table-count': String(tables),
      'row-count': String(rows),
      'server-version': postgres.version,
    })
    assert.deepEqual([manifest.key, manifest.size, manifest.rows], [key, bytes.length, rows])
    assert.equal(manifest.run.repository, 'acme/shop')
    assert.match(dumped.summary, /Dumped `shop`/)
    const debug = dumped.commands.filter(({ name }) => name === 'debug').map(({ data }) => data)
    assert.ok(debug.some((line) => /^Starting .*pg_dump.* --format=custom/.test(line)))
    assert.ok(debug.some((line) => /^pg_dump ended with exit code 0 after/.test(line)))
    if (place === 's3') await assertIdlePost(dumped)

    const listed = succeeded(await bench.run('list', place, ''))
    assert.equal(listed.outputs['dump-count'], '1')
    assert.deepEqual(JSON.parse(listed.outputs.dumps!), [{ ...manifest, committed: true }])
    assert.ok(listed.summary.includes(key))

    const restored = succeeded(await bench.run('restore', place, `from_${place}`, { 'dump-key': 'latest' }))
    await same('shop', `from_${place}`)
    const { 'duration-ms': _, report: _report, ...restoreOutputs } = restored.outputs
    assert.deepEqual(restoreOutputs, { ...outputs, database: `from_${place}` })
    if (place === 'folder') await assertIdlePost(restored)
    for (const run of [dumped, listed, restored]) {
      const databases = ['from_folder', 'from_s3', 'postgres', 'shop']
      await assertNothingLeft({ run, postgres, s3, folder, databases })
    }
  })
}

for (const [compression, jobs] of [
  ['none', '2'],
  ['gzip:1', '1'],
] as const) {
  test(`compression ${compression} with jobs: ${jobs}`, async () => {
    const copy = `${compression}_${jobs}`
    const key = await bench.dump('folder', 'shop', { compression, jobs })
    const manifest = JSON.parse(readFileSync(join(bench.folder, `${key}.json`), 'utf8'))
    assert.equal(manifest.compression, compression.split(':')[0])
    succeeded(await bench.run('restore', 'folder', copy, { 'dump-key': key, jobs }))
    await same('shop', copy)
  })
}

test('pg_restore reads a dump of ours, also with two jobs', async () => {
  const path = join(bench.folder, stored)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  for (const [name, more] of Object.entries({ one_job: [], two_jobs: ['-j2'] })) {
    await bench.postgres.createDatabase(name, 'template template0')
    await execute(join(bin, 'pg_restore'), ['--dbname=', '--exit-on-error', ...more, path], {
      env: clientEnvironment(name),
    })
    await same('shop', name)
  }
})

test('a plain file of pg_dump is restored by its full key, and by nothing else', async () => {
  const key = 'django/shop/none/2099-01-02-03-04-05-678901.dump'
  const path = join(bench.folder, key)
  mkdirSync(dirname(path), { recursive: true })
  await execute(join(bin, 'pg_dump'), ['-Fc', '--no-owner', '-f', path], { env: clientEnvironment('shop') })

  const byPrefix = await bench.run('restore', 'folder', 'none_of_these', { 'dump-key': 'django' })
  assert.match(byPrefix.errors[0]!, /no committed dump below .*django.*not committed/)

  for (const jobs of ['1', '2']) {
    const run = succeeded(await bench.run('restore', 'folder', 'plain', { 'dump-key': key, jobs }))
    assert.ok(run.warnings.some((warning) => /no manifest/.test(warning)))
    assert.ok(Number(run.outputs['row-count']) > 1000)
    await same('shop', 'plain')
  }
  const dumps = JSON.parse((await bench.run('list', 'folder', '', { 'dump-key': 'django' })).outputs.dumps!)
  assert.deepEqual(dumps, [
    {
      ...{ key, instance: 'django', database: 'shop', config: 'none', committed: false },
      createdAt: '2099-01-02T03:04:05.678901Z',
      size: statSync(path).size,
    },
  ])
})

test('a summary that cannot be written does not make a committed dump a failed one', async () => {
  const env = { GITHUB_STEP_SUMMARY: join(bench.folder, 'no', 'such', 'file') }
  const run = succeeded(await bench.run('dump', 'folder', 'postgres', {}, { env }))
  assert.ok(run.outputs['dump-key'])
  assert.match(run.warnings.join(), /The job summary could not be written: .*no.such.file/)
})
