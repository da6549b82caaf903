import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { keyOf, manifestOf } from '../../../lab/sample-dumps.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { chooseDump, unsoundness } from '../../../src/storage/choose-dump.ts'
import { readCatalogue, readManifests } from '../../../src/storage/dump-catalog.ts'
import type { DumpKey } from '../../../src/storage/keys.ts'
import { localStorage } from '../../../src/storage/local/local-storage.ts'
import { formatManifest, type Manifest } from '../../../src/storage/manifest.ts'
import type { Storage } from '../../../src/storage/storage.ts'

const ANY = { instance: '', config: '' }

/** A storage folder that is filled by hand. */
function store() {
  const folder = tempFolder()
  const write = (key: string, text: string) => {
    mkdirSync(dirname(join(folder.path, key)), { recursive: true })
    writeFileSync(join(folder.path, key), text)
  }
  return {
    storage: localStorage(folder.path) as Storage,
    write,
    dump: (key: DumpKey, bytes = 10) => write(key.key, 'x'.repeat(bytes)),
    manifest: (key: DumpKey, changes: Partial<Manifest> = {}) =>
      write(`${key.key}.json`, formatManifest({ ...manifestOf(key, 10), ...changes })),
    committed(key: DumpKey) {
      this.dump(key)
      this.manifest(key)
      return key.key
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

test('the newest dump is the newest by time, over all folders and not by name', async () => {
  await using at = store()
  const old = at.committed(keyOf('zoo/zzz/none', 1))
  const newest = at.committed(keyOf('a/app/none', 9))
  const shop = at.committed(keyOf('shop/app/none', 5))
  const masked = at.committed(keyOf('shop/app/masked', 4))
  at.committed(keyOf('shop/app2/none', 6))
  at.committed(keyOf('shop-eu/app/none', 8))
  const choices: [string, { instance: string; config: string }, string][] = [
    ['latest', ANY, newest],
    ['shop/app', ANY, shop],
    ['shop/app/', ANY, shop],
    ['shop/app/masked', ANY, masked],
    ['zoo', ANY, old],
    ['latest', { instance: 'zoo', config: '' }, old],
    ['latest', { instance: 'shop', config: 'masked' }, masked],
    [old, { instance: 'shop', config: 'masked' }, old],
  ]
  for (const [reference, narrowing, key] of choices) {
    const chosen = await chooseDump(at.storage, { reference, ...narrowing })
    assert.equal(chosen.key, key, reference)
    assert.equal(chosen.manifest?.key, key)
    assert.equal(chosen.size, 10)
  }
  const { passedOver } = await chooseDump(at.storage, { reference: 'shop', ...ANY })
  assert.deepEqual(passedOver.sort(), ['shop/app/masked', 'shop/app/none'])
})

test('a reference without a dump is an error', async () => {
  await using at = store()
  at.committed(keyOf('shop/app/none', 1))
  at.dump(keyOf('shop/other/none', 2))
  const cases: [string, { instance: string; config: string }, RegExp][] = [
    ['sho', ANY, /no committed dump below .*sho$/],
    ['shop/ap', ANY, /no committed dump/],
    [
      'latest',
      { instance: 'zoo', config: '' },
      /no committed dump.*2 dumps there are not committed, or of another/,
    ],
    ['shop/other', ANY, /no committed dump.*1 dumps there/],
    [keyOf('shop/app/none', 3).key, ANY, /There is no dump .*2026-11-03/],
  ]
  for (const [reference, narrowing, reason] of cases) {
    await assert.rejects(chooseDump(at.storage, { reference, ...narrowing }), reason, reference)
  }
})

test('a dump without a manifest is reached by its full key only', async () => {
  await using at = store()
  const committed = at.committed(keyOf('shop/app/none', 1))
  const uncommitted = keyOf('shop/app/none', 2)
  at.dump(uncommitted)
  at.write('foreign/thing.dump', 'xyz')
  assert.equal((await chooseDump(at.storage, { reference: 'latest', ...ANY })).key, committed)
  assert.deepEqual(await chooseDump(at.storage, { reference: uncommitted.key, ...ANY }), {
    key: uncommitted.key,
    size: 10,
    manifest: null,
    passedOver: [],
  })
  assert.equal((await chooseDump(at.storage, { reference: 'foreign/thing.dump', ...ANY })).size, 3)
})

test('what contradicts its manifest is not a dump: a full key is refused, and latest passes over it', async () => {
  await using at = store()
  const old = at.committed(keyOf('shop/app/none', 1))
  const key = keyOf('shop/app/none', 3)
  const cases: [() => void, RegExp][] = [
    [() => at.dump(key, 9), /has 9 bytes and its manifest says 10; it was cut or replaced/],
    [() => at.dump(key, 11), /has 11 bytes/],
    [() => at.dump(key, 0), /is empty; it is not a dump/],
  ]
  for (const [damage, reason] of cases) {
    at.committed(key)
    damage()
    await assert.rejects(chooseDump(at.storage, { reference: key.key, ...ANY }), reason)
    assert.equal((await chooseDump(at.storage, { reference: 'latest', ...ANY })).key, old)
    // Who reads all of it has the size from the manifest, and asks why something else arrived.
    const toRead = await chooseDump(at.storage, { reference: key.key, ...ANY }, { readWhole: true })
    assert.equal(toRead.size, 10)
    assert.match((await unsoundness(at.storage, toRead))!, reason)
  }
})

test('a newest manifest that cannot be read is not passed over', async () => {
  await using at = store()
  at.committed(keyOf('shop/app/none', 1))
  const key = keyOf('shop/app/none', 3)
  const cases: [() => void, RegExp][] = [
    [() => at.manifest(key, { key: keyOf('shop/app/none', 4).key }), /names another key/],
    [() => at.write(`${key.key}.json`, '{'), /is not JSON/],
  ]
  for (const [damage, reason] of cases) {
    at.committed(key)
    damage()
    for (const reference of ['latest', key.key])
      await assert.rejects(chooseDump(at.storage, { reference, ...ANY }), reason)
  }
})

test('a newest manifest without its data, or one that is empty, is passed over', async () => {
  await using at = store()
  const old = at.committed(keyOf('shop/app/none', 1))
  at.manifest(keyOf('shop/app/none', 2))
  const claimed = keyOf('shop/app/none', 3)
  at.dump(claimed)
  at.write(`${claimed.key}.json`, '')
  assert.equal((await chooseDump(at.storage, { reference: 'latest', ...ANY })).key, old)
  assert.equal((await chooseDump(at.storage, { reference: claimed.key, ...ANY })).manifest, null)
})

test('the catalogue knows dumps, orphans and nothing else', async () => {
  await using at = store()
  const [first, second, third] = [1, 2, 3].map((day) => keyOf('shop/app/none', day)) as [
    DumpKey,
    DumpKey,
    DumpKey,
  ]
  at.committed(second)
  at.committed(first)
  at.dump(third)
  const orphan = keyOf('shop/app/masked', 4)
  at.manifest(orphan)
  for (const name of ['README.md', 'shop/notes.dump', 'shop/app/none/.pgclone-partial-1', 'shop/x.dump.json'])
    at.write(name, 'x')
  const { entries, orphans } = await readCatalogue(at.storage, '')
  const found = entries.map(({ key, size, committed, manifestSize }) => [
    key,
    size,
    committed,
    manifestSize > 0,
  ])
  assert.deepEqual(found, [
    [third, 10, false, false],
    [second, 10, true, true],
    [first, 10, true, true],
  ])
  assert.deepEqual(orphans, [orphan])
  const manifests = await readManifests(at.storage, entries)
  assert.deepEqual([...manifests.keys()], [second.key, first.key])
  assert.deepEqual((await readCatalogue(at.storage, 'shop/app')).entries.length, 3)
  assert.deepEqual((await readCatalogue(at.storage, 'shop/ap')).entries, [])
})
