import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  catalogue,
  comment,
  type Inputs,
  mark,
  useDumpedSource,
} from '../../../lab/benches/lifecycle-bench.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'

const { bench, key } = await useDumpedSource()

const restore = (database: string, more: Inputs = {}) =>
  bench.run('restore', database, { 'dump-key': key, ...more })

/** The lifetime in a mark, in milliseconds; null without one. */
async function lifetime(database: string): Promise<number | null> {
  const { at, expires } = JSON.parse((await comment(bench, database))!.slice('pgclone-action '.length))
  return expires === undefined ? null : Date.parse(expires) - Date.parse(at)
}

test('expires-after is written into the mark, by each restore and copy anew, and by no other', async () => {
  succeeded(await restore('brief', { 'expires-after': '90m' }))
  assert.equal(await lifetime('brief'), 90 * 60_000)
  succeeded(await restore('brief', { 'expires-after': '7d', reversible: 'true', 'template-cache': '1' }))
  assert.equal(await lifetime('brief'), 7 * 86_400_000)
  assert.equal(await lifetime('brief__pre'), null)
  const list = succeeded(await bench.run('list', 'postgres', { local: 'true' }))
  assert.match(list.summary, /clone of `brief`, expires \d{4}-/)
  succeeded(await restore('brief'))
  assert.equal(await lifetime('brief'), null)
  const source = { 'source-database-url': bench.postgres.url('source') }
  succeeded(await bench.run('copy', 'copied', { ...source, 'expires-after': '1h' }))
  assert.equal(await lifetime('copied'), 3_600_000)
})

test('expires-after is refused where it could not be written', async () => {
  await bench.make('theirs', 'theirs')
  await mark(bench, 'theirs', { of: 'another' })
  const before = await catalogue(bench)
  for (const more of [{}, { 'dry-run': 'true' }] as Inputs[]) {
    const run = await restore('theirs', { 'expires-after': '7d', overwrite: 'true', ...more })
    failed(run, /expires-after cannot be kept, because "theirs" exists and was not made by this action/)
  }
  assert.deepEqual(await catalogue(bench), before)
})
