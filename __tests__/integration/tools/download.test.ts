import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { fakeMachine } from '../../../lab/tools/fake-machine.ts'
import { webServer } from '../../../lab/tools/web-server.ts'
import { download } from '../../../src/tools/download.ts'

test('downloads a file, following redirections', async () => {
  await using machine = fakeMachine()
  const content = Buffer.alloc(3_000_000, 'x')
  await using web = await webServer((request, response) => {
    if (request.url === '/old') response.writeHead(302, { location: '/new' }).end()
    else response.end(content)
  })
  const file = join(machine.root, 'file')
  await download(`${web.url}/old`, file, machine.options)
  assert.deepEqual(readFileSync(file), content)
})

const FAULTS: [string, RequestListener, RegExp][] = [
  ['404', (_, response) => response.writeHead(404).end(), /the server answered 404/],
  ['206', (_, response) => response.writeHead(206).end('part'), /the server answered 206/],
  [
    'fewer bytes than promised',
    (_, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('short')
      setTimeout(() => response.destroy(), 20)
    },
    /other side closed|aborted|terminated/,
  ],
  [
    'chunks without an end',
    (_, response) => {
      response.writeHead(200).write('short')
      setTimeout(() => response.destroy(), 20)
    },
    /other side closed|aborted|terminated/,
  ],
  ['nothing at all', () => undefined, /no data arrived for 0\.2 s/],
  ['a stall', (_, response) => response.writeHead(200).write('begin'), /no data arrived for 0\.2 s/],
]

for (const [name, answer, reason] of FAULTS) {
  test(`a download with ${name} fails`, async () => {
    await using machine = fakeMachine()
    await using web = await webServer(answer)
    const url = `${web.url}/bundle.zip`
    await assert.rejects(download(url, join(machine.root, 'file'), machine.options, 200), (error: Error) => {
      assert.ok(error.message.startsWith(`${url} could not be downloaded: `), error.message)
      assert.match(error.message, reason)
      return true
    })
  })
}

test('a slow download that moves goes on', async () => {
  await using machine = fakeMachine()
  await using web = await webServer((_, response) => {
    let left = 6
    const timer = setInterval(() => {
      response.write('x')
      left -= 1
      if (left > 0) return
      clearInterval(timer)
      response.end()
    }, 100)
  })
  await download(web.url, join(machine.root, 'file'), machine.options, 300)
  assert.equal(machine.read('file'), 'xxxxxx')
})

test('a machine without internet fails at once', async () => {
  await using machine = fakeMachine()
  const file = join(machine.root, 'file')
  await assert.rejects(
    download('http://127.0.0.1:9/x', file, machine.options),
    /could not be downloaded: .*(?:ECONNREFUSED|bad port)/,
  )
  assert.equal(existsSync(file), false)
})

test('a cancelled run ends its download', async () => {
  await using machine = fakeMachine()
  await using web = await webServer(() => undefined)
  const signal = AbortSignal.timeout(100)
  const running = download(web.url, join(machine.root, 'file'), { ...machine.options, signal })
  await assert.rejects(running, { name: 'TimeoutError' })
})

test('goes through the proxy that the environment names', async () => {
  await using machine = fakeMachine()
  await using proxy = await webServer((_, response) => response.end('from the proxy'))
  const tunnels: (string | undefined)[] = []
  proxy.server.on('connect', (request, socket) => {
    tunnels.push(request.url)
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
  })
  machine.options.environment.env.HTTP_PROXY = proxy.url
  await download('http://tools.example/file', join(machine.root, 'file'), machine.options).catch(
    () => undefined,
  )
  assert.ok(tunnels.includes('tools.example:80') || proxy.requests.includes('http://tools.example/file'))
})
