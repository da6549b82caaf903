import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startProxy } from '../../lab/proxy.ts'

const size = 1_000_000

/** A server that sends a megabyte to whoever connects. */
async function startSource() {
  const server = createServer((socket) => socket.on('error', () => {}).end(Buffer.alloc(size))).listen(
    0,
    '127.0.0.1',
  )
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { port, [Symbol.dispose]: () => void server.close() }
}

async function read(port: number): Promise<{ bytes: number; end: string }> {
  const socket = createConnection(port, '127.0.0.1')
  let bytes = 0
  socket.on('data', (chunk) => {
    bytes += chunk.length
  })
  const end = await ending(socket)
  return { bytes, end }
}

function ending(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on('end', () => resolve('FIN')).on('error', (error: NodeJS.ErrnoException) => resolve(error.code!))
  })
}

test('passes on, cuts, resets, stalls and heals', async () => {
  using source = await startSource()
  await using proxy = await startProxy({ port: source.port })
  assert.deepEqual(await read(proxy.port), { bytes: size, end: 'FIN' })
  proxy.cutAfter(123_456)
  assert.deepEqual(await read(proxy.port), { bytes: 123_456, end: 'FIN' })
  proxy.resetAfter(99_999)
  assert.deepEqual(await read(proxy.port), { bytes: 99_999, end: 'ECONNRESET' })
  proxy.stallAfter(50_000)
  const before = proxy.bytes.server
  const stalled = read(proxy.port)
  await sleep(100)
  assert.equal(proxy.bytes.server - before, 50_000)
  proxy.heal()
  assert.deepEqual(await stalled, { bytes: size, end: 'FIN' })
  assert.equal(proxy.connections, 4)
})

test('ends both sides also while the system closes that of a killed client', async () => {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  let ended = 0
  // A moment of the event loop decides, which one attempt in six hits.
  for (let attempt = 0; attempt < 40; attempt += 1) {
    const proxy = await startProxy({ port })
    proxy.stallAfter(2 * size)
    const client = spawn('bash', ['-c', `exec 3<>/dev/tcp/127.0.0.1/${proxy.port}; exec cat <&3 >/dev/null`])
    const [source] = (await once(server, 'connection')) as [Socket]
    const closed = new Promise<void>((resolve) => source.on('error', () => {}).once('close', () => resolve()))
    source.resume().write(Buffer.alloc(20 * size))
    while (proxy.bytes.server < 2 * size) await sleep(1)
    client.kill('SIGKILL')
    await once(client, 'exit')
    await proxy[Symbol.asyncDispose]()
    // A connection that stays open would stay so for good.
    if (await Promise.race([closed.then(() => true), sleep(60_000, false, { ref: false })])) ended += 1
  }
  assert.equal(ended, 40)
  server.close()
})
