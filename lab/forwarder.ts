/**
 * A program that forwards a port of this machine to another, as `ssh -L` does, for tests of `tunnel-command`:
 * `forwarder.ts LISTEN TARGET [BREAK_AFTER]`. After BREAK_AFTER bytes from its clients it breaks off with exit code 9.
 */
import { createConnection, createServer } from 'node:net'

const [listen = 0, target = 0, breakAfter = Number.POSITIVE_INFINITY] = process.argv.slice(2).map(Number)
let passed = 0

const server = createServer((client) => {
  const upstream = createConnection(target, '127.0.0.1')
  client.on('data', (chunk) => {
    passed += chunk.length
    if (passed < breakAfter) return
    console.error('forwarder: broken on purpose')
    process.exit(9)
  })
  for (const [from, to] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    from.pipe(to)
    from.on('error', () => to.destroy())
  }
})
server.listen(listen, '127.0.0.1', () => console.log('::error::forwarder is listening'))
