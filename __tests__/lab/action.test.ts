import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { family } from '../../lab/processes.ts'
import { runAction, runPost, startAction } from '../../lab/runner/action.ts'
import { parseCommands } from '../../lab/runner/runner-commands.ts'
import { tempFolder } from '../../lab/temp.ts'

const summarise = (log: string) =>
  parseCommands(log).map(({ name, properties, data }) => ({ name, properties, data }))

test('finds commands as the runner does', () => {
  const table: [string, ReturnType<typeof summarise>][] = [
    ['::error::plain', [{ name: 'error', properties: {}, data: 'plain' }]],
    [
      '  \t::ERROR title=a%2Cb,file=c%3Ad::x%0Ay%250A',
      [{ name: 'error', properties: { title: 'a,b', file: 'c:d' }, data: 'x\ny%0A' }],
    ],
    ['text before ::error::no', []],
    [
      'text before ##[add-mask a=b%3Bc]yes%5D',
      [{ name: 'add-mask', properties: { a: 'b;c' }, data: 'yes]' }],
    ],
    ['::unknown::no', []],
    ['::error no end', []],
    [
      '10%\r::notice::after a carriage return',
      [{ name: 'notice', properties: {}, data: 'after a carriage return' }],
    ],
    ['line\u2028::error::no line end for .NET', []],
    [
      '::stop-commands::Token\n::error::off\n::token::\n::error::on',
      [
        { name: 'stop-commands', properties: {}, data: 'Token' },
        { name: 'error', properties: {}, data: 'on' },
      ],
    ],
  ]
  for (const [log, expected] of table) assert.deepEqual(summarise(log), expected, log)
})

const script = `
const { appendFileSync } = require('node:fs')
if (process.env.STATE_child) {
  console.log('post of ' + process.env['INPUT_DATABASE-URL'])
  process.kill(Number(process.env.STATE_child), 'SIGKILL')
} else {
  process.on('SIGINT', () => process.exit(3))
  const child = require('node:child_process').spawn('sleep', ['60'], { stdio: 'ignore', detached: true })
  child.unref()
  appendFileSync(process.env.GITHUB_STATE, 'child=' + child.pid + '\\n')
  appendFileSync(process.env.GITHUB_OUTPUT, 'a<<X\\n1\\n\\n2\\nX\\nb=c=d\\n')
  appendFileSync(process.env.GITHUB_STEP_SUMMARY, '# Done')
  console.log('::add-mask::s3cret%25')
  console.log('command ' + process.env.INPUT_COMMAND + ' in ' + process.cwd())
  console.error('::error title=T::no%0Agood')
  process.exitCode = 1
  // The shorter time is enough for a sample of the memory.
  setTimeout(() => {}, process.env['INPUT_DUMP-KEY'] === 'wait' ? 60000 : 300)
}`

test('runs a step and its post step as the runner does', async () => {
  await using folder = tempFolder()
  const entry = join(folder.path, 'index.cjs')
  writeFileSync(entry, script)
  const run = await runAction({ 'database-url': 'postgres://x' }, { entry })
  assert.equal(run.exitCode, 1)
  assert.deepEqual(run.outputs, { a: '1\n\n2', b: 'c=d' })
  assert.deepEqual([run.masks, run.errors, run.summary], [['s3cret%'], ['no\ngood'], '# Done'])
  assert.equal(run.visibleLog, `command dump in ${run.workspace}\n::error title=T::no%0Agood`)
  assert.ok(run.peakRss > 0)
  assert.equal(family(run.pid, run.marker).length, 1)
  assert.equal((await runPost(run)).log, 'post of postgres://x')
  assert.equal(family(run.pid, run.marker).length, 0)
})

test('signals a running step', async () => {
  await using folder = tempFolder()
  const entry = join(folder.path, 'index.cjs')
  writeFileSync(entry, script)
  const action = startAction({ 'dump-key': 'wait' }, { entry })
  await action.waitForLog(/^command (\w+)/)
  action.signal('SIGINT')
  const run = await action.done
  assert.deepEqual([run.exitCode, run.signal], [3, null])
  await assert.rejects(action.waitForLog(/never/))
  action.kill()
})
