import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { startMonitor } from '../../../lab/monitor.ts'
import { freePort } from '../../../lab/port.ts'
import { type ActionRun, runAction, startAction } from '../../../lab/runner/action.ts'
import { failed, succeeded } from '../../../lab/runner/outcome.ts'
import { keyAt, storedDump, writeFiles } from '../../../lab/sample-dumps.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { until } from '../../../lab/until.ts'

const reportOf = (run: ActionRun) => JSON.parse(run.outputs.report!)

/** A step that needs no database. */
function list(folder: string, more: Record<string, string> = {}) {
  return runAction({ command: 'list', 'storage-location': folder, ...more })
}

test('a monitor is told of the start, the success and the failure, and every step reports', async () => {
  await using storage = tempFolder('storage')
  await using monitor = await startMonitor()
  writeFiles(storage.path, storedDump(keyAt('2026-11-01T02:00:00Z')))
  const good = succeeded(await list(storage.path, { 'ping-url': `${monitor.url}?rid=abcdefgh` }))
  assert.deepEqual(monitor.told(), ['/start?rid=abcdefgh', '?rid=abcdefgh'])
  assert.ok(good.masks.includes(`${monitor.url}?rid=abcdefgh`))
  assert.ok(!good.visibleLog.includes('5c1f0d2e') && !good.summary.includes('5c1f0d2e'))
  const report = reportOf(good)
  assert.deepEqual([report.command, report.status, report.dumpCount], ['list', 'success', 1])
  assert.equal(report.storage, storage.path)
  assert.match(report.text, /^list of .* succeeded in .*: 1 dump$/)
  assert.equal(report.run.url, 'https://github.com/acme/shop/actions/runs/1234567890')

  const bad = failed(await list(storage.path, { 'ping-url': monitor.url, 'max-age': '1h' }), /max-age is/)
  assert.deepEqual(monitor.told().slice(2), ['/start', '/fail'])
  assert.equal(reportOf(bad).error, bad.errors[0])
  assert.match(reportOf(bad).text, /^list of .* failed after .*: The newest matching dump/)

  const wrong = failed(await list(storage.path, { 'ping-url': monitor.url, jobs: 'many' }), /jobs must be/)
  assert.deepEqual(monitor.told().slice(4), ['/start', '/fail'])
  assert.match(reportOf(wrong).text, /^pgclone failed: Input jobs must be/)
  const unread = failed(await list(storage.path, { 'ping-url': 'hc-ping.com/5c1f0d2e' }), /ping-url must be/)
  assert.ok(!unread.visibleLog.includes('5c1f0d2e'))
})

test('a monitor that does not answer well is a warning, and does not hold the step', async () => {
  await using storage = tempFolder('storage')
  const answers: [status: number | null, says: RegExp, asked: number][] = [
    [404, /ping-url did not take .* the step has succeeded: it answered 404/, 2],
    [301, /it answered 301/, 2],
    [503, /it answered 503/, 4],
    [null, /no answer in time/, 4],
  ]
  await Promise.all(
    answers.map(async ([status, says, asked]) => {
      await using monitor = await startMonitor((response) => {
        if (status !== null) response.writeHead(status, { Location: '/elsewhere' }).end()
      })
      const run = succeeded(await list(storage.path, { 'ping-url': monitor.url }))
      assert.match(run.warnings.join('\n'), says)
      assert.equal(run.warnings.length, 2, run.warnings.join('\n'))
      assert.ok(!run.visibleLog.includes('5c1f0d2e'))
      assert.equal(monitor.told().length, asked)
    }),
  )
  const nobody = `http://127.0.0.1:${await freePort()}/ping/5c1f0d2e-4a5b`
  assert.match(
    succeeded(await list(storage.path, { 'ping-url': nobody })).warnings.join('\n'),
    /ECONNREFUSED/,
  )
})

test('a cancelled step tells its failure at once', async () => {
  await using monitor = await startMonitor()
  await using silent = await startSilentServer()
  const action = startAction({
    ...{ command: 'drop', 'database-url': `postgres://me:secret@127.0.0.1:${silent.port}/app` },
    ...{ 'ping-url': monitor.url, 'install-tools': 'never' },
  })
  await until(() => monitor.told().length === 1, 'the start')
  await until(() => silent.connections() > 0, 'a connection')
  action.signal('SIGINT')
  const run = await action.done
  assert.equal(run.exitCode, 1)
  assert.deepEqual(monitor.told(), ['/start', '/fail'])
  if (run.outputs.report) assert.equal(reportOf(run).status, 'cancelled')
})

/** A server that takes connections and says nothing. */
async function startSilentServer() {
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => sockets.length,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
