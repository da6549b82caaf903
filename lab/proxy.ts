import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'

/** Whose bytes a fault counts. */
export type Side = 'server' | 'client'

/** A TCP proxy that breaks connections on demand. Bytes are counted for every connection from its start. */
export type Proxy = AsyncDisposable & {
  readonly host: string
  readonly port: number
  /** What was passed on, over all connections. */
  readonly bytes: Record<Side, number>
  /** How many connections were made so far. */
  readonly connections: number
  /** Ends connections in good form (FIN) once a side has sent this number of bytes. */
  cutAfter(bytes: number, from?: Side): void
  /** Breaks connections (RST) once a side has sent this number of bytes. */
  resetAfter(bytes: number, from?: Side): void
  /** Keeps connections open and passes nothing on once a side has sent this number of bytes. */
  stallAfter(bytes: number, from?: Side): void
  /** Ends all open connections now; new ones are not touched. */
  cutNow(how?: 'cut' | 'reset'): void
  /** No more faults; what was stalled goes on. */
  heal(): void
}

interface Fault {
  kind: 'cut' | 'reset' | 'stall'
  after: number
  from: Side
}

/** Is given everything that is passed on, with the number of its connection, from 0. */
type Witness = (connection: number, side: Side, bytes: Buffer) => void

interface State {
  witness: Witness
  bytes: Record<Side, number>
  connections: number
  fault: Fault | undefined
  open: Set<Socket>
  /** Continue what was stalled. */
  stalled: Set<() => void>
}

function emptyState(witness: Witness): State {
  const bytes = { server: 0, client: 0 }
  return { witness, bytes, connections: 0, fault: undefined, open: new Set(), stalled: new Set() }
}

/** Starts a proxy before a server on this machine. */
export async function startProxy(
  target: { port: number; host?: string },
  witness: Witness = () => undefined,
): Promise<Proxy> {
  const state = emptyState(witness)
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const connection = state.connections++
    const upstream = createConnection({ host: '127.0.0.1', ...target, allowHalfOpen: true })
    forward(client, upstream, { connection, side: 'client' }, state)
    forward(upstream, client, { connection, side: 'server' }, state)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  const set = (kind: Fault['kind'], after: number, from: Side = 'server') => {
    state.fault = { kind, after, from }
  }
  const cutNow: Proxy['cutNow'] = (how = 'cut') => {
    for (const socket of state.open) {
      if (how === 'reset') reset(socket)
      else socket.destroy()
    }
  }
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    bytes: state.bytes,
    get connections() {
      return state.connections
    },
    cutAfter: (bytes, from) => set('cut', bytes, from),
    resetAfter: (bytes, from) => set('reset', bytes, from),
    stallAfter: (bytes, from) => set('stall', bytes, from),
    cutNow,
    heal() {
      state.fault = undefined
      for (const resume of state.stalled) resume()
      state.stalled.clear()
    },
    async [Symbol.asyncDispose]() {
      cutNow('reset')
      server.close()
      await once(server, 'close')
    },
  }
}

/** Passes the bytes of one direction on. */
function forward(
  from: Socket,
  to: Socket,
  { connection, side }: { connection: number; side: Side },
  state: State,
): void {
  let seen = 0
  const pass = (chunk: Buffer) => {
    state.bytes[side] += chunk.length
    state.witness(connection, side, chunk)
    if (!to.destroyed && !to.write(chunk)) {
      from.pause()
      to.once('drain', () => from.resume())
    }
  }
  state.open.add(from)
  from.on('data', (chunk: Buffer) => {
    const { fault } = state
    const left = fault?.from === side ? Math.max(0, fault.after - seen) : Number.POSITIVE_INFINITY
    seen += chunk.length
    if (!fault || chunk.length <= left) return pass(chunk)
    pass(chunk.subarray(0, left))
    if (fault.kind !== 'stall') return interrupt(from, to, fault.kind)
    from.pause()
    state.stalled.add(() => {
      pass(chunk.subarray(left))
      from.resume()
    })
  })
  from.on('end', () => to.end())
  from.on('error', () => to.destroy())
  from.on('close', () => {
    state.open.delete(from)
    to.destroySoon()
  })
}

/** libuv refuses to reset a connection whose writing side has ended, and leaves it open (uv_tcp_close_reset). */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}

/** The bytes before the fault must arrive: a reset discards what the system has not sent yet. */
function interrupt(from: Socket, to: Socket, kind: 'cut' | 'reset'): void {
  from.pause()
  if (kind === 'cut') {
    to.end()
    from.destroySoon()
    return
  }
  setTimeout(() => {
    reset(to)
    reset(from)
  }, 20)
}
