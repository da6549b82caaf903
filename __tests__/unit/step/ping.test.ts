import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePingUrl, pingSecrets } from '../../../src/inputs/ping-url.ts'
import { pingAddress } from '../../../src/step/ping.ts'

test('the event ends the path, and a query stays behind it', () => {
  for (const [url, start] of [
    ['https://hc-ping.com/5c1f', 'https://hc-ping.com/5c1f/start'],
    ['https://hc-ping.com/key/my-job?create=1&x=%2F', 'https://hc-ping.com/key/my-job/start?create=1&x=%2F'],
    ['http://127.0.0.1:8000/ping/5c1f/', 'http://127.0.0.1:8000/ping/5c1f/start'],
    ['https://monitor.example', 'https://monitor.example/start'],
  ] as const) {
    assert.equal(pingAddress(url, 'start'), start)
    assert.equal(pingAddress(url, 'fail'), start.replace('/start', '/fail'))
    assert.equal(pingAddress(url, 'success'), url)
  }
})

test('an address that cannot be requested is refused without being quoted', () => {
  for (const wrong of ['hc-ping.com/secret', 'ftp://x/secret', 'https://me:secret@x/', 'https://x/secret#y'])
    assert.throws(
      () => parsePingUrl(wrong),
      ({ message }: Error) => !message.includes('secret') && /^(must|contains|has) /.test(message),
    )
  assert.equal(parsePingUrl('https://x/y?z=1'), 'https://x/y?z=1')
})

test('the address and its long parts are secrets', () => {
  const url = 'https://hc-ping.com/ping/5c1f0d2e-aaaa?token=abcdefgh&create=1'
  assert.deepEqual(pingSecrets(url), [url, '5c1f0d2e-aaaa', 'abcdefgh'])
  assert.deepEqual(pingSecrets(''), [])
})
