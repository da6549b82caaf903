import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive } from '../../../lab/processes.ts'
import {
  type ChildOptions,
  childFailure,
  describeExit,
  endChild,
  killAllChildren,
  startChild,
  succeeded,
} from '../../../src/process/child.ts'
import { rememberSecret } from '../../../src/report/secrets.ts'

const env = { PATH: process.env.PATH! }
const quiet = { env, onErrorLine: () => false }
const shell = (script: string, options: Partial<ChildOptions> = {}) =>
  startChild('/bin/sh', ['-c', script], { ...quiet, ...options })

test('how a program ended is told in words, with its last complaint', async () => {
  const cases: [string, string][] = [
    ['exit 0', 'sh ended with exit code 0'],
    ['exit 3', 'sh ended with exit code 3'],
    [
      'echo "sh: error: no such table" >&2; echo cleaning up >&2; exit 1',
      'sh ended with exit code 1: sh: error: no such table',
    ],
    ['echo only this >&2; exit 1', 'sh ended with exit code 1: only this'],
    ['kill -KILL $$', 'sh was ended by SIGKILL'],
  ]
  for (const [script, sentence] of cases) {
    const child = shell(script)
    const exit = await child.exited
    assert.equal(childFailure(child, exit).message, sentence)
    assert.equal(succeeded(exit), script === 'exit 0')
    assert.equal(child.running, false)
  }
})

test('a program that cannot be started ends with the reason', async () => {
  for (const file of ['/nowhere/pg_dump.exe', '/etc/passwd']) {
    const child = startChild(file, [], quiet)
    const exit = await child.exited
    assert.match(describeExit(exit), /^could not be started: spawn .* E(NOENT|ACCES)$/)
    assert.match(childFailure(child, exit).message, /^(pg_dump|passwd) could not be started/)
    assert.equal(succeeded(exit), false)
    assert.deepEqual(await endChild(child, ['SIGTERM'], 10), exit)
  }
})

test('no shell reads the arguments', async () => {
  const child = startChild('printf', ['%s|', '$(id)', '; id', "'", '*'], { ...quiet, stdout: 'stream' })
  assert.equal(await text(child.stdout), "$(id)|; id|'|*|")
})

test('the tail holds the last lines that may be shown', async () => {
  rememberSecret('canary')
  const script = `
    for n in $(seq 1 30); do echo "line $n" >&2; done
    echo 'ERROR:  no canary' >&2; echo 'DETAIL:  row data' >&2; echo 'more row data' >&2; printf '\\n  \\n' >&2`
  const seen: string[] = []
  const child = shell(script, { onErrorLine: (line) => seen.push(line) > Number.POSITIVE_INFINITY })
  await child.exited
  assert.equal(child.tail.length, 20)
  assert.deepEqual(child.tail.slice(-3), [
    'line 30',
    'ERROR:  no ***',
    'DETAIL: (hidden, it may contain row data)',
  ])
  assert.deepEqual(seen.slice(30, 33), ['ERROR:  no canary', 'DETAIL:  row data', 'more row data'])
})

test('the last line counts, also without a line end', async () => {
  const child = shell(`printf 'fatal: it broke' >&2; exit 1`)
  assert.match(childFailure(child, await child.exited).message, /fatal: it broke$/)
})

test('signals come one after the other until the child is gone', async () => {
  const child = shell('trap "" INT TERM; echo ready; while :; do sleep 0.05; done', { stdout: 'stream' })
  for await (const _ of child.stdout) break
  assert.equal(child.running, true)
  const exit = await endChild(child, ['SIGINT', 'SIGTERM', 'SIGKILL'], 100)
  assert.equal(exit.signal, 'SIGKILL')
  assert.equal(isAlive(child.pid!), false)
})

test('a grandchild that holds stderr open does not hold us', async () => {
  const started = Date.now()
  const child = shell('sleep 3 & exit 2')
  assert.equal((await child.exited).code, 2)
  assert.ok(Date.now() - started < 2500)
})

test('a reader that goes away does not end us', async () => {
  const child = shell('exec <&-; exit 7', { stdin: 'stream' })
  for (let count = 0; count < 50; count += 1) {
    child.stdin.write(Buffer.alloc(1 << 16))
    await sleep(1)
  }
  assert.equal((await child.exited).code, 7)
})

test('the last resort ends every child', async () => {
  const children = [1, 2].map(() => startChild('sleep', ['60'], quiet))
  killAllChildren()
  for (const child of children) assert.equal((await child.exited).signal, 'SIGKILL')
})
