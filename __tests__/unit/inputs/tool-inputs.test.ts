import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAwsRelease, parseMirror } from '../../../src/inputs/tool-inputs.ts'

const digest = 'ab'.repeat(32)

test('an AWS CLI to install is a version, with the digest of its bundle or without', () => {
  assert.deepEqual(parseAwsRelease('2.38.1'), { version: '2.38.1', sha256: null })
  const pinned = { version: '2.38.1', sha256: digest }
  assert.deepEqual(parseAwsRelease(`2.38.1@sha256:${digest}`), pinned)
  assert.deepEqual(parseAwsRelease(`2.38.1@SHA256:${digest.toUpperCase()}`), pinned)
})

test('anything else is refused', () => {
  const wrong = ['latest', '1.45.11', '2.38', '2.38.1/../x', '2.38.1@sha256:', '2.38.1@md5:ab', '2.38.1 x']
  for (const text of [...wrong, `2.38.1@sha256:${digest}0`]) {
    assert.throws(
      () => parseAwsRelease(text),
      /^Error: must be a version of AWS CLI 2 such as 2\.38\.1, /,
      text,
    )
  }
})

test('a mirror is an address without credentials or query', () => {
  assert.equal(parseMirror('https://mirror.example/tools/'), 'https://mirror.example/tools')
  assert.equal(parseMirror('http://10.0.0.1:8081'), 'http://10.0.0.1:8081')
  const wrong: [string, RegExp][] = [
    ['mirror.example', /^Error: must be an http:\/\/ or https:\/\/ URL$/],
    ['ftp://mirror.example', /must be an http/],
    [
      'https://user:secret@mirror.example',
      /^Error: contains credentials; use a mirror that does not require them/,
    ],
    ['https://mirror.example/?a=b', /has a query or a fragment/],
  ]
  for (const [text, reason] of wrong) assert.throws(() => parseMirror(text), reason)
})
