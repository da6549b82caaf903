import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startProxy } from './proxy.ts'

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
