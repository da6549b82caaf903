import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { Connection } from '../../../src/database/connection/connection.ts'
import { maskKey, randomMaskKey, withMaskKey } from '../../../src/masking/mask-key.ts'
import { hideSecrets } from '../../../src/report/secrets.ts'

const connection: Connection = { variables: { PGHOST: 'h' }, database: 'd', label: 'h/d' }

test('a key is padded to a block of HMAC, and a long one hashed before', () => {
  const key = maskKey('a')
  assert.equal(key.inner, `57${'36'.repeat(63)}`)
  assert.equal(key.outer, `3d${'5c'.repeat(63)}`)
  const long = 'x'.repeat(65)
  const hash = createHash('sha256').update(long).digest()
  const inner = Buffer.from(maskKey(long).inner, 'hex')
  assert.deepEqual(
    inner.subarray(0, 32).map((byte) => byte ^ 0x36),
    hash,
  )
  assert.equal(inner.toString('hex', 32), '36'.repeat(32))
})

test('keys are told apart by an id that does not contain them', () => {
  assert.equal(maskKey('a').id, maskKey('a').id)
  assert.notEqual(maskKey('a').id, maskKey('b').id)
  assert.notEqual(randomMaskKey().id, randomMaskKey().id)
  assert.match(maskKey('a').id, /^[0-9a-f]{16}$/)
})

test('what could replace the key is hidden in everything that is written', () => {
  const { inner, outer } = maskKey('another key')
  assert.equal(hideSecrets(`${inner} ${outer}`), '*** ***')
})

test('the key is added to the options of a connection', () => {
  const key = maskKey('a')
  const settings = `-c pgclone.mask_inner=${key.inner} -c pgclone.mask_outer=${key.outer}`
  assert.deepEqual(withMaskKey(connection, key).variables, { PGHOST: 'h', PGOPTIONS: settings })
  const own = { ...connection, variables: { PGOPTIONS: '-c work_mem=5MB' } }
  assert.deepEqual(withMaskKey(own, key).variables, { PGOPTIONS: `-c work_mem=5MB ${settings}` })
})
