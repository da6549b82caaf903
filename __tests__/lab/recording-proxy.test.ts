import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer } from 'node:net'
import { test } from 'node:test'
import { startRecordingProxy } from '../../lab/recording-proxy.ts'

/** A server that sends back what it gets, but its first byte as a PostgreSQL server answers a request for encryption. */
async function startEcho(answer = '') {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    if (answer) socket.write(answer)
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { port, [Symbol.dispose]: () => void server.close() }
}

/** Sends the parts one after the other, and waits until they have come back. */
async function send(port: number, parts: readonly Buffer[], extra = 0): Promise<void> {
  const socket = createConnection(port, '127.0.0.1')
  const total = parts.reduce((sum, part) => sum + part.length, extra)
  let received = 0
  const all = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      received += chunk.length
      if (received >= total) resolve()
    })
  })
  for (const part of parts) {
    socket.write(part)
    // Each part is a packet of its own.
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await all
  socket.end()
  await once(socket, 'close')
}

const SECRET = 'Zoë\\secret\tname "x"'

const forms: [string, Buffer][] = [
  ['text', Buffer.from(SECRET)],
  ['text', Buffer.from(SECRET, 'latin1')],
  ['COPY text', Buffer.from('Zoë\\\\secret\\tname "x"')],
  ['JSON text', Buffer.from('Zoë\\\\secret\\tname \\"x\\"')],
  ['hex', Buffer.from(Buffer.from(SECRET).toString('hex'))],
  ['hex', Buffer.from(Buffer.from(SECRET).toString('hex').toUpperCase())],
  ...['', 'a', 'ab'].map((before): [string, Buffer] => [
    'base64',
    Buffer.from(Buffer.from(`${before}${SECRET}and more`).toString('base64')),
  ]),
]

test('finds a value in each form, in both directions, also in parts', async () => {
  using server = await startEcho()
  await using proxy = await startRecordingProxy(server)
  for (const [form, bytes] of forms) {
    proxy.clear()
    const before = proxy.connections
    const middle = Math.floor(bytes.length / 2)
    await send(proxy.port, [Buffer.from('row '), bytes.subarray(0, middle), bytes.subarray(middle)])
    const found = (from: 'client' | 'server') => ({ value: SECRET, form, connection: before, from })
    assert.deepEqual(proxy.find(['other value', SECRET]), [found('client'), found('server')], form)
  }
})

test('finds nothing where nothing is, and keeps connections and directions apart', async () => {
  using server = await startEcho()
  await using proxy = await startRecordingProxy(server)
  assert.throws(() => proxy.find([SECRET]), /sent nothing/)
  await send(proxy.port, [Buffer.from('Zoë\\secret')])
  await send(proxy.port, [Buffer.from('\tname "x"')])
  assert.deepEqual(proxy.find([SECRET]), [])
  assert.equal(proxy.connections, 2)
  proxy.clear()
  assert.throws(() => proxy.find([SECRET]), /sent nothing/)
})

test('refuses to search what is encrypted', async () => {
  const request = Buffer.alloc(8)
  request.writeUInt32BE(8, 0)
  request.writeUInt32BE(80877103, 4)
  using plain = await startEcho('N')
  await using first = await startRecordingProxy(plain)
  await send(first.port, [request], 1)
  assert.deepEqual(first.find([SECRET]), [])
  using encrypted = await startEcho('S')
  await using second = await startRecordingProxy(encrypted)
  await send(second.port, [request], 1)
  assert.throws(() => second.find([SECRET]), /encrypted/)
})
