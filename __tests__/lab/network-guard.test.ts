import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../../lab/runner/action-inputs.ts'
import { tempFolder } from '../../lab/temp.ts'

const run = promisify(execFile)

/** How a test file ends that does something and has no other fault. */
async function outcome(body: string): Promise<{ code: number; output: string }> {
  const folder = tempFolder('guarded')
  const file = join(folder.path, 'one.test.mjs')
  const head = `import { test } from 'node:test'\nimport { connect } from 'node:net'\nimport { execFile } from 'node:child_process'\n`
  writeFileSync(file, `${head}test('one', async () => { ${body} })\n`)
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const args = ['--test', '--import', join(root, 'lab/network-guard.ts'), file]
  const ended = await run(process.execPath, args, { env }).catch((error) => error)
  return { code: ended.code ?? 0, output: ended.stdout }
}

const connects = (host: string) =>
  `await new Promise((done) => connect({ host: '${host}', port: 9 }).on('error', done).on('close', done))`
const started = (program: string) =>
  `await new Promise((done) => execFile(process.execPath, ['--require', '${join(root, 'lab/loopback-only.cjs')}', '-e', "${program}"], done))`

test('a test that connects to another machine fails, and is told where', async () => {
  const { code, output } = await outcome(connects('192.0.2.1'))
  assert.equal(code, 1)
  assert.match(output, /Node connected to 192\.0\.2\.1/)
})

test('so does one whose program does, and one whose program asks a proxy', async () => {
  const child = await outcome(started(`require('net').connect(9, 'example.com').on('error', () => 0)`))
  assert.match(child.output, /Node connected to example\.com/)
  const request = `fetch(process.env.HTTP_PROXY, { headers: {} })`
  const asked = await outcome(`await ${request}`)
  assert.match(asked.output, /a test reached beyond loopback/)
})

test('loopback is allowed in every form', async () => {
  for (const host of ['127.0.0.1', 'localhost', '::1', 'nowhere.invalid'])
    assert.equal((await outcome(connects(host))).code, 0, host)
})
