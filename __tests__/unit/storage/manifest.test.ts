import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOf, manifestOf } from '../../../lab/sample-dumps.ts'
import { formatManifest, parseManifest } from '../../../src/storage/manifest.ts'

const key = keyOf('shop/app/none', 1)
const manifest = manifestOf(key, 100)

test('a manifest survives being stored', () => {
  for (const one of [
    manifest,
    { ...manifest, rows: null, tables: [{ ...manifest.tables[0]!, rows: null }] },
  ]) {
    assert.deepEqual(parseManifest(formatManifest(one), key), one)
  }
})

test('an altered manifest is refused, whatever was altered', () => {
  const changes: [Record<string, unknown>, RegExp][] = [
    [{ version: 2 }, /version 2, and this release reads 1/],
    [{ version: undefined }, /version/],
    [{ key: keyOf('shop/app/none', 2).key }, /names another key/],
    [{ createdAt: '2026-11-02T02:00:00.000000Z' }, /no valid createdAt/],
    [{ instance: 'other' }, /no valid instance/],
    [{ database: undefined }, /no valid database/],
    [{ config: 5 }, /no valid config/],
    [{ size: 0 }, /no valid size/],
    [{ size: -1 }, /no valid size/],
    [{ size: 1.5 }, /no valid size/],
    [{ size: '100' }, /no valid size/],
    [{ size: 2 ** 53 }, /no valid size/],
    [{ sha256: '' }, /no valid sha256/],
    [{ sha256: 'AB'.repeat(32) }, /no valid sha256/],
    [{ sha256: `${'ab'.repeat(32)}\n` }, /no valid sha256/],
    [{ serverVersion: 15 }, /no valid serverVersion/],
    [{ clientVersion: null }, /no valid clientVersion/],
    [{ tables: {} }, /no valid tables/],
    [{ tables: [{ ...manifest.tables[0], rows: '3' }] }, /no valid tables/],
    [{ tables: [null] }, /no valid tables/],
    [{ locale: undefined }, /no valid locale/],
    [{ locale: { ...manifest.locale, encoding: 5 } }, /no valid locale/],
    // It becomes a part of a statement, which psql reads: this would run a program.
    [{ locale: { ...manifest.locale, provider: 'libc\n\\! touch canary' } }, /no valid locale/],
  ]
  for (const [change, problem] of changes) {
    const text = JSON.stringify({ ...manifest, ...change })
    assert.throws(() => parseManifest(text, key), problem, JSON.stringify(change))
  }
})

test('what is no manifest at all is refused', () => {
  const texts = ['', 'null', '5', '"x"', '[]', formatManifest(manifest).slice(0, -5), '<Error/>']
  for (const text of texts) assert.throws(() => parseManifest(text, key), /was altered or is not ours/, text)
})
