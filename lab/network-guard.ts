/**
 * Imported into the process of every test file: fails the file when it, the Action or the AWS CLI reaches beyond loopback.
 * Whatever obeys a proxy is sent to one that notes the request and refuses it; connections of Node itself are noted by
 * `loopback-only.cjs`. libpq obeys no proxy: `npm run test:bare` runs the tests without any network but loopback.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after } from 'node:test'
import { tempFolder } from './temp.ts'

/** One line for each attempt. */
const note = join(tempFolder('network').path, 'outside')

const proxy = createServer((request, response) => {
  appendFileSync(note, `${request.method} ${request.url}\n`)
  response.writeHead(403).end()
})
proxy.on('connect', (request, socket) => {
  appendFileSync(note, `CONNECT ${request.url}\n`)
  socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
})
proxy.listen(0, '127.0.0.1').unref()
await once(proxy, 'listening')
const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`

const variables = {
  HTTP_PROXY: url,
  HTTPS_PROXY: url,
  NO_PROXY: '127.0.0.1,localhost,::1',
  AWS_EC2_METADATA_DISABLED: 'true',
  PGCLONE_LAB_OUTSIDE: note,
}
// For programs that a test starts, and for the environment of a step, which holds nothing else of this machine.
Object.assign(process.env, variables, { PGCLONE_LAB_GUARD: JSON.stringify(variables) })
createRequire(import.meta.url)('./loopback-only.cjs')

after(() => {
  const attempts = existsSync(note) ? readFileSync(note, 'utf8').trim().split('\n') : []
  assert.deepEqual(attempts, [], 'a test reached beyond loopback')
})
