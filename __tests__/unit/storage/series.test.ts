import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOf } from '../../../lab/sample-dumps.ts'
import {
  groupBySeries,
  type Named,
  nameSeries,
  type Source,
  scopeOf,
  sourceOf,
} from '../../../src/storage/series.ts'

let day = 0
function dump(folder: string, source?: Partial<Source>): Named {
  day += 1
  const key = keyOf(folder, (day % 28) + 1)
  const { instance, database, config } = key
  return { key, source: source && { instance, host: 'db', database, config, ...source } }
}

const chosen = (dumps: Named[], reference: string, more: { instance?: string; config?: string } = {}) =>
  scopeOf({ reference, instance: '', config: '', ...more })
    .select(dumps)
    .flat()

test('a dump without true names joins the only series with the names of its key, and no other', () => {
  const old = dump('shop/a_b/none')
  const exact = dump('shop/a_b/none', {})
  const dotted = dump('shop/a_b/none', { database: 'a.b' })
  assert.deepEqual(groupBySeries([exact, old]), [[exact, old]])
  assert.deepEqual(groupBySeries([dotted, old]), [[dotted], [old]])
  assert.deepEqual(groupBySeries([dotted, exact, old]), [[dotted], [exact, old]])
  const elsewhere = dump('shop/a_b/none', { host: 'db2' })
  assert.deepEqual(groupBySeries([exact, elsewhere, old]), [[exact], [elsewhere], [old]])
  const renamed = dump('shop/a_b/none', { instance: 'shop' })
  const dottedConfig = dump('shop/a_b/v_1', { config: 'v.1' })
  const oldConfig = dump('shop/a_b/v_1')
  assert.deepEqual(groupBySeries([renamed, old]), [[renamed, old]])
  assert.deepEqual(groupBySeries([dottedConfig, oldConfig]), [[dottedConfig], [oldConfig]])
})

test('instance, database and config are compared as they were given, in every part of a reference', () => {
  const dotted = dump('my_io/a_b/v_1', { instance: 'my.io', database: 'a.b', config: 'v.1' })
  const plain = dump('my_io/a_b/v_1', {})
  const dumps = [dotted, plain]
  assert.deepEqual(chosen(dumps, 'latest'), dumps)
  for (const reference of ['my.io', 'my.io/', 'my.io/a.b', 'my.io/a.b@db/v.1'])
    assert.deepEqual(chosen(dumps, reference), [dotted], reference)
  for (const reference of ['my_io', 'my_io/a_b@db', 'my_io/a_b/v_1'])
    assert.deepEqual(chosen(dumps, reference), [plain], reference)
  for (const reference of ['my.io/a_b', 'my_io/a.b', 'my.io/a.b@db2', 'my.io/a.b/v_1'])
    assert.deepEqual(chosen(dumps, reference), [], reference)
  assert.deepEqual(chosen(dumps, 'latest', { instance: 'my.io', config: 'v.1' }), [dotted])
  assert.deepEqual(chosen([dump('my_io/a_b/v_1')], 'latest', { instance: 'my.io', config: 'v.1' }).length, 1)
})

test('a reference leads to the folder of its keys, as far as an @ leaves it clear', () => {
  const folderOf = (reference: string) => scopeOf({ reference, instance: '', config: '' }).folder
  assert.deepEqual(['latest', '', 'my.io/', 'shop/a.b/v.1', 'shop/a@b/none'].map(folderOf), [
    ...['', '', 'my_io', 'shop/a_b/v_1', 'shop'],
  ])
  const withAt = dump('shop/a_b/none', { database: 'a@b' })
  assert.deepEqual(chosen([withAt, dump('shop/a/none', { host: 'c' })], 'shop/a@b'), [withAt])
})

test('after a copy to another key by hand, the parts of that key are the names', () => {
  const names = { instance: 'my.io', host: 'db', database: 'a.b', config: 'v.1' }
  assert.deepEqual(sourceOf({ ...keyOf('my_io/a_b/v_1', 1), source: names }), names)
  const copied = sourceOf({ ...keyOf('archive/a_b/v_2', 1), source: names })
  assert.deepEqual(copied, { ...names, instance: 'archive', config: 'v_2' })
})

test('series are named by what tells them apart', () => {
  const names = (dumps: Named[]) => nameSeries(groupBySeries(dumps))
  const dotted = dump('shop/a_b/none', { database: 'a.b' })
  const plain = dump('shop/a_b/none', {})
  const elsewhere = dump('shop/a_b/none', { host: 'db2:5433' })
  assert.deepEqual(names([dotted, plain]), ['shop/a.b/none', 'shop/a_b/none'])
  assert.deepEqual(names([dotted, plain, elsewhere]), [
    ...['shop/a.b/none', 'shop/a_b@db/none', 'shop/a_b@db2:5433/none'],
  ])
})
