import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { freePort } from '../../../lab/port.ts'
import { checkEndpoint } from '../../../src/aws/check-endpoint.ts'

const quick = { timeoutMs: 200, attempts: 2, pauseMs: 10 }
const never = new AbortController().signal

test('a store that listens is reached, and nothing is sent to it', async () => {
  let bytes = 0
  const server = createServer((socket) => socket.on('data', (chunk) => (bytes += chunk.length)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await checkEndpoint(
    `http://127.0.0.1:${(server.address() as AddressInfo).port}/path`,
    'aws-region',
    never,
    quick,
  )
  server.close()
  await once(server, 'close')
  assert.equal(bytes, 0)
})

test('a store that does not is named with its reason', async () => {
  const port = await freePort()
  await assert.rejects(
    checkEndpoint(`https://127.0.0.1:${port}`, 'AWS_ENDPOINT_URL', never, quick),
    new RegExp(
      `Cannot reach the store at 127.0.0.1:${port}: no server listens there .*; check AWS_ENDPOINT_URL, and`,
    ),
  )
  await assert.rejects(
    checkEndpoint('https://no-such-host.invalid', 'aws-region', never, quick),
    /:443: (there is no host named|.*EAI_AGAIN)/,
  )
})

test('a cancelled step does not wait for an answer', async () => {
  const cancelled = AbortSignal.abort(new Error('The step was cancelled'))
  await assert.rejects(checkEndpoint('http://127.0.0.1:1', 'aws-region', cancelled, quick), /was cancelled/)
})
