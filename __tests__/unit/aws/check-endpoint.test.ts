import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { freePort } from '../../../lab/port.ts'
import { checkReach } from '../../../src/aws/check-endpoint.ts'

const quick = { timeout: 200, attempts: 2, pause: 10 }
const never = new AbortController().signal

test('a store that listens is reached, and nothing is sent to it', async () => {
  let bytes = 0
  const server = createServer((socket) => socket.on('data', (chunk) => (bytes += chunk.length)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await checkReach(`http://127.0.0.1:${(server.address() as AddressInfo).port}/path`, never, quick)
  server.close()
  await once(server, 'close')
  assert.equal(bytes, 0)
})

test('a store that does not is named with its reason', async () => {
  const port = await freePort()
  await assert.rejects(
    checkReach(`https://127.0.0.1:${port}`, never, quick),
    new RegExp(`Cannot reach the store at 127.0.0.1:${port}: nobody listens there .*s3-endpoint-url`),
  )
  await assert.rejects(
    checkReach('https://no-such-host.invalid', never, quick),
    /:443: (there is no host named|.*EAI_AGAIN)/,
  )
})

test('a cancelled step does not wait for an answer', async () => {
  const cancelled = AbortSignal.abort(new Error('The step was cancelled'))
  await assert.rejects(checkReach('http://127.0.0.1:1', cancelled, quick), /was cancelled/)
})
