import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startSlowLink } from '../../lab/slow-link.ts'
import { until } from '../../lab/until.ts'

// Limits from below hold on a busy machine too. Limits from above are far from what they exclude.

async function listen(serve: (socket: Socket) => void) {
  const server = createServer({ allowHalfOpen: true }, (socket) => serve(socket.on('error', () => {})))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return { port, [Symbol.dispose]: () => void server.close() }
}

async function timed<Result>(work: () => Promise<Result>): Promise<{ result: Result; ms: number }> {
  const started = performance.now()
  return { result: await work(), ms: performance.now() - started }
}

const bytes = Buffer.from(Array.from({ length: 500_000 }, (_, index) => index % 251))

/** Sends everything, ends its side, and returns what comes back. */
async function exchange(port: number): Promise<Buffer> {
  const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end(bytes)
  return await buffer(socket)
}

test('an answer takes a round trip, and the first one the round trip of the handshake too', async () => {
  using echo = await listen((socket) => socket.pipe(socket))
  await using link = await startSlowLink(echo, { roundTripMs: 60, bytesPerSecond: 1e9 })
  const socket = createConnection(link.port, '127.0.0.1')
  const ask = async () => {
    socket.write('?')
    await once(socket, 'data')
  }
  const first = await timed(ask)
  const second = await timed(ask)
  socket.destroy()
  assert.ok(first.ms >= 119, `${first.ms} ms`)
  assert.ok(second.ms >= 59, `${second.ms} ms`)
})

test('bytes arrive unchanged, at the given rate in each direction, and the end passes in each direction too', async () => {
  using echo = await listen((socket) => socket.pipe(socket))
  await using link = await startSlowLink(echo, { roundTripMs: 2, bytesPerSecond: 1e6 })
  const { result, ms } = await timed(() => exchange(link.port))
  assert.ok(result.equals(bytes))
  assert.ok(ms >= 500, `${ms} ms`)
})

test('both directions of a connection carry data at the same time', async () => {
  using talker = await listen((socket) => void socket.resume().end(bytes))
  await using link = await startSlowLink(talker, { roundTripMs: 2, bytesPerSecond: 0.25e6 })
  const { result, ms } = await timed(() => exchange(link.port))
  assert.ok(result.equals(bytes))
  assert.ok(ms >= 2000 && ms < 3800, `${ms} ms, where one direction after the other takes 4000`)
})

test('each connection has its own bandwidth', async () => {
  using talker = await listen((socket) => void socket.resume().end(bytes))
  await using link = await startSlowLink(talker, { roundTripMs: 2, bytesPerSecond: 0.5e6 })
  const { result, ms } = await timed(() => Promise.all(Array.from({ length: 8 }, () => exchange(link.port))))
  assert.ok(result.every((received) => received.equals(bytes)))
  assert.ok(ms >= 1000 && ms < 5000, `${ms} ms, where a shared bandwidth takes 8000`)
})

test('a sender waits for a receiver that does not read', async () => {
  let sent = 0
  using talker = await listen((socket) => {
    const send = () => {
      while (!socket.destroyed && socket.write(bytes)) sent += bytes.length
    }
    socket.on('drain', send)
    send()
  })
  await using link = await startSlowLink(talker, { roundTripMs: 2, bytesPerSecond: 1e9 })
  const socket = createConnection(link.port, '127.0.0.1').pause()
  await until(() => sent > 0, 'the first bytes')
  for (let before = -1; before !== sent; await sleep(500)) before = sent
  socket.destroy()
  assert.ok(sent < 100e6, `${sent} bytes`)
})

test('a connection that breaks on one side breaks on the other', async () => {
  for (const end of ['client', 'server'] as const) {
    const { promise, resolve } = Promise.withResolvers<Socket>()
    using server = await listen(resolve)
    await using link = await startSlowLink(server, { roundTripMs: 2, bytesPerSecond: 1e6 })
    const client = createConnection(link.port, '127.0.0.1').on('error', () => {})
    client.write('?')
    const other = await promise
    const [broken, left] = end === 'client' ? [client, other] : [other, client]
    const over = new Promise((resolve) => left.on('end', resolve).on('close', resolve).resume())
    broken.resetAndDestroy()
    await over
    other.destroy()
    client.destroy()
  }
})
