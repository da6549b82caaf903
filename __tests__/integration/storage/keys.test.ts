import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  dumpOfManifest,
  isBelow,
  isEncryptedKey,
  isFullKey,
  keyPart,
  manifestKey,
  newDumpKey,
  parseDumpKey,
  referenceProblem,
} from '../../../src/storage/keys.ts'

test('a key says what and when, as in django-pgclone', () => {
  const parts = { instance: 'Shop.eu', database: 'app "x"/é', config: 'none' }
  const key = newDumpKey(parts, new Date('2026-11-01T02:03:04.056Z'), 7)
  assert.deepEqual(key, {
    key: 'Shop_eu/app__x___/none/2026-11-01-02-03-04-056007.dump',
    instance: 'Shop_eu',
    database: 'app__x___',
    config: 'none',
    createdAt: '2026-11-01T02:03:04.056007Z',
  })
  assert.equal(manifestKey(key.key), 'Shop_eu/app__x___/none/2026-11-01-02-03-04-056007.dump.json')
  const encrypted = newDumpKey({ ...parts, encrypted: true }, new Date('2026-11-01T02:03:04.056Z'), 7)
  assert.deepEqual(encrypted, { ...key, key: `${key.key}.age` })
  assert.equal(manifestKey(encrypted.key), `${key.key}.age.json`)
  // django-pgclone chooses keys by this pattern.
  assert.doesNotMatch(encrypted.key, /^[\w-]+\/[\w-]+\/[\w-]+\/\d{4}(-\d{2}){5}-\d+\.dump$/)
})

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
const date = fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
const made = fc
  .tuple(
    fc.record({ instance: name, database: name, config: name, encrypted: fc.boolean() }),
    date,
    fc.integer({ min: 0, max: 999 }),
  )
  .map(([parts, now, microseconds]) => ({
    ...{ now, encrypted: parts.encrypted },
    key: newDumpKey(parts, now, microseconds),
  }))

test('every key that we make can be read, asked for and sorted', () => {
  fc.assert(
    fc.property(made, made, (one, other) => {
      assert.deepEqual(parseDumpKey(one.key.key), one.key)
      assert.equal(referenceProblem(one.key.key), null)
      assert.ok(isFullKey(one.key.key))
      assert.deepEqual(dumpOfManifest(manifestKey(one.key.key)), one.key)
      assert.equal(dumpOfManifest(one.key.key), null)
      assert.equal(isEncryptedKey(one.key.key), one.encrypted)
      assert.equal(Date.parse(one.key.createdAt), one.now.getTime())
      if (one.now < other.now) assert.ok(one.key.createdAt < other.key.createdAt)
      const { instance, database, config } = one.key
      for (const prefix of [
        '',
        instance,
        `${instance}/`,
        `${instance}/${database}`,
        `${instance}/${database}/${config}/`,
      ])
        assert.ok(isBelow(one.key.key, prefix), prefix)
    }),
  )
})

test('what is no key is none', () => {
  const texts = [
    '2026-11-01-02-03-04-056007.dump',
    'a/b/2026-11-01-02-03-04-056007.dump',
    'a/b/c/d/2026-11-01-02-03-04-056007.dump',
    'a/b/c/2026-11-01-02-03-04-056.dump',
    'a/b/c/2026-13-01-02-03-04-056007.dump',
    'a/b/c/2026-11-01-02-03-04-056007.dump.json',
    'a/b/c/2026-11-01-02-03-04-056007.dump.tmp',
    'a/b/c/2026-11-01-02-03-04-056007.age',
    'a/b/c/2026-11-01-02-03-04-056007.dump.age.json',
    'a/b/c/2026-11-01-02-03-04-056007.dump.age.age',
    'a.b/b/c/2026-11-01-02-03-04-056007.dump',
    'a/../c/2026-11-01-02-03-04-056007.dump',
    ' a/b/c/2026-11-01-02-03-04-056007.dump',
    'a/b/c/2026-11-01-02-03-04-056007.dump\n',
    '/a/b/c/2026-11-01-02-03-04-056007.dump',
  ]
  for (const text of texts) assert.equal(parseDumpKey(text), null, JSON.stringify(text))
})

test('a key part is a harmless name', () => {
  const cases: [string, string][] = [
    ['shop_eu-1', 'shop_eu-1'],
    ['..', '__'],
    ['a/b\\c:d', 'a_b_c_d'],
    ['-rf', '_rf'],
    ['a\nb\0', 'a_b_'],
  ]
  for (const [text, part] of cases) assert.equal(keyPart(text), part)
})

test('a reference never leaves the storage location', () => {
  const fine = ['latest', 'shop', 'shop/', 'shop/app/none', 'a b/é', 'django/x/y/2026.dump', 'a..b', '...']
  for (const reference of fine) assert.equal(referenceProblem(reference), null, reference)
  const wrong: [string, RegExp][] = [
    ['..', /"\.\."/],
    ['../other', /"\.\."/],
    ['shop/../../etc/passwd.dump', /"\.\."/],
    ['shop/./app', /"\."/],
    ['shop//app', /empty part/],
    ['shop//', /empty part/],
    ['/', /starts with \//],
    ['/etc/passwd.dump', /starts with \//],
    ['shop\\..\\app', /backslash/],
    ['C:/dumps', /drive letter/],
    ['c:x.dump', /drive letter/],
    ['-rf', /starts with -/],
    ['shop/--recursive', /starts with -/],
    ['shop\napp', /control character/],
    ['shop\0', /control character/],
    ['shop\u007f', /control character/],
  ]
  for (const [reference, problem] of wrong)
    assert.match(referenceProblem(reference) ?? '', problem, reference)
})

test('a prefix covers whole parts', () => {
  const cases: [string, string, boolean][] = [
    ['prod/app/none/x.dump', 'prod', true],
    ['prod-eu/app/none/x.dump', 'prod', false],
    ['prod/app2/none/x.dump', 'prod/app', false],
    ['prod/app2/none/x.dump', 'prod/app/', false],
    ['prod/app/none/x.dump', 'prod/app/', true],
    ['prod', 'prod', false],
  ]
  for (const [key, prefix, below] of cases)
    assert.equal(isBelow(key, prefix), below, `${key} below ${prefix}`)
})
