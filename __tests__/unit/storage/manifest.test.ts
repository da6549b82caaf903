import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOf, manifestOf } from '../../../lab/sample-dumps.ts'
import { globalsKey } from '../../../src/storage/keys.ts'
import {
  formatManifest,
  MAX_MANIFEST_BYTES,
  type Manifest,
  parseManifest,
} from '../../../src/storage/manifest.ts'

const key = keyOf('shop/app/none', 1)
const manifest = manifestOf(key, 100)
const mask = { sha256: 'cd'.repeat(32), keyId: '0123456789abcdef', columns: { email: 2, null: 1 } }

test('a manifest survives being stored', () => {
  for (const one of [
    manifest,
    { ...manifest, rows: null, tables: [{ ...manifest.tables[0]!, rows: null }] },
    { ...manifest, mask, tables: [{ ...manifest.tables[0]!, rowsBefore: 7, masks: { email: 2 } }] },
  ]) {
    assert.deepEqual(parseManifest(formatManifest(one), key), one)
  }
})

test('an altered manifest is refused, whatever was altered', () => {
  const changes: [Record<string, unknown>, RegExp][] = [
    [{ version: 2 }, /version 2, and this release reads version 1; use the release/],
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
    [{ serverVersion: '15\n## x' }, /no valid serverVersion/],
    [{ actionVersion: ['1'] }, /no valid actionVersion/],
    [{ compression: null }, /no valid compression/],
    [{ rawBytes: -1 }, /no valid rawBytes/],
    [{ rawBytes: undefined }, /no valid rawBytes/],
    [{ rows: '<b>3</b>' }, /no valid rows/],
    [{ rows: undefined }, /no valid rows/],
    [{ durationMs: '5' }, /no valid durationMs/],
    [{ filters: null }, /no valid filters/],
    [{ filters: { tables: [5] } }, /no valid filters/],
    [{ filters: [] }, /no valid filters/],
    [{ run: undefined }, /no valid run/],
    [{ run: { ...manifest.run, url: 5 } }, /no valid run/],
    [{ run: { ...manifest.run, url: '\u001b[31m' } }, /no valid run/],
    [{ verified: true }, /no valid verified/],
    [{ verified: { at: 'yesterday', serverVersion: '15' } }, /no valid verified/],
    [{ tables: [{ ...manifest.tables[0], bytes: 1.5 }] }, /no valid tables/],
    [{ tables: [{ ...manifest.tables[0], name: undefined }] }, /no valid tables/],
    [{ tables: [[]] }, /no valid tables/],
    [{ clientVersion: null }, /no valid clientVersion/],
    [{ tables: {} }, /no valid tables/],
    [{ tables: [{ ...manifest.tables[0], rowsBefore: '7' }] }, /no valid tables/],
    [{ tables: [{ ...manifest.tables[0], masks: { email: '2' } }] }, /no valid tables/],
    [{ mask: true }, /no valid mask/],
    [{ mask: null }, /no valid mask/],
    [{ mask: { ...mask, sha256: 'cd' } }, /no valid mask/],
    [{ mask: { ...mask, keyId: 'secret' } }, /no valid mask/],
    [{ mask: { ...mask, columns: { email: '2' } } }, /no valid mask/],
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
  for (const text of texts)
    assert.throws(() => parseManifest(text, key), /was altered, or another program wrote it/, text)
})

test('fields of a later release are kept, and those that an object inherits do not count', () => {
  const later = { ...manifest, later: { sha256: 'x' }, tables: [{ ...manifest.tables[0]!, masked: true }] }
  assert.deepEqual(parseManifest(formatManifest(later as Manifest), key), later)
  const text = formatManifest(manifest).replace('"rows": 3,', '"__proto__": {"rows": 3},')
  assert.throws(() => parseManifest(text, key), /no valid rows/)
})

test('roles are those of the dump, encrypted or not', () => {
  const globals = { key: globalsKey(key.key), size: 5, sha256: 'a'.repeat(64) }
  assert.equal(globals.key, `${key.key.slice(0, -'.dump'.length)}.globals.sql`)
  assert.equal(globalsKey(`${key.key}.age`), globals.key)
  const text = (change: object) => formatManifest({ ...manifest, globals: { ...globals, ...change } })
  assert.deepEqual(parseManifest(text({}), key).globals, globals)
  const others = [{ key: key.key }, { key: '../x.globals.sql' }, { size: -1 }, { size: 1e9 }, { sha256: '' }]
  for (const change of others) assert.throws(() => parseManifest(text(change), key), /has no valid globals/)
})

test('a manifest of very many tables is stored without spaces, and one that no reader takes is not stored', () => {
  const table = { schema: 'public', name: 'x'.repeat(60), rows: 1, bytes: 1 }
  const many = (count: number): Manifest => ({ ...manifest, tables: new Array(count).fill(table) })
  assert.match(formatManifest(many(50_000)), /^\{\n/)
  const large = formatManifest(many(120_000))
  assert.doesNotMatch(large, /\n./)
  assert.ok(Buffer.byteLength(large) <= MAX_MANIFEST_BYTES)
  assert.equal(parseManifest(large, key).tables.length, 120_000)
  assert.throws(
    () => formatManifest(many(250_000)),
    /larger than 16\.8 MB, because the dump has 250,000 tables/,
  )
})
