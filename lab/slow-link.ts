import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** How far away a server is, and how much one connection carries in each direction. */
export type Distance = { roundTripMs: number; bytesPerSecond: number }

/** A TCP proxy that makes a server on this machine as slow to reach as one in another network. */
export type SlowLink = AsyncDisposable & { readonly port: number }

/**
 * Starts a proxy whose connections each have a round trip and a bandwidth of their own, as connections between a runner
 * and a database in another network do: one connection is slow, and several do not slow each other down.
 */
export async function startSlowLink(target: { port: number }, distance: Distance): Promise<SlowLink> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = createConnection({ ...target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    // The handshake of TCP takes a round trip before the first byte may leave.
    const opened = performance.now() + distance.roundTripMs
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('close', () => open.delete(socket))
    }
    void carry(client, upstream, distance, opened)
    void carry(upstream, client, distance, opened)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Bytes on their way, with the moment at which the last of them arrives. */
type Parcel = { bytes: Buffer; arrives: number }

/** How many parcels, of 64 KiB or less, may be on their way: more than the bandwidth carries in a round trip. */
const PARCELS_UNDER_WAY = 64

/** How long before it leaves a byte is taken, so that a timer that is a millisecond or two late leaves no gap. */
const AHEAD_MS = 10

/**
 * Carries one direction of a connection; if one side breaks off, so does the other. It takes bytes no sooner than a slow
 * network does: a system lets a fast reader hold tens of megabytes, which would hide from the sender how slow the link is.
 */
async function carry(from: Socket, to: Socket, distance: Distance, opened: number): Promise<void> {
  const { roundTripMs, bytesPerSecond } = distance
  let sent = opened
  async function* post(source: AsyncIterable<Buffer>): AsyncGenerator<Parcel> {
    for await (const bytes of source) {
      sent = Math.max(sent, performance.now()) + (bytes.length * 1000) / bytesPerSecond
      yield { bytes, arrives: sent + roundTripMs / 2 }
      await sleepUntil(sent - AHEAD_MS)
    }
  }
  async function* deliver(parcels: AsyncIterable<Parcel>): AsyncGenerator<Buffer> {
    for await (const { bytes, arrives } of parcels) {
      await sleepUntil(arrives)
      yield bytes
    }
  }
  const underWay = new PassThrough({ objectMode: true, highWaterMark: PARCELS_UNDER_WAY })
  await pipeline(from, post, underWay, deliver, to).catch(() => {
    from.destroy()
    to.destroy()
  })
}

async function sleepUntil(moment: number): Promise<void> {
  const left = moment - performance.now()
  if (left > 0) await sleep(left)
}
