import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { tempFolder } from '../../../lab/temp.ts'
import { ask } from '../../../src/process/ask.ts'

const module = pathToFileURL(join(import.meta.dirname, '../../../src/process/ask.ts')).href

test('a question is asked with the environment and arguments given, and nothing of it is shown', async () => {
  await using temp = tempFolder('ask')
  const folder = join(temp.path, 'with space')
  mkdirSync(folder)
  writeFileSync(join(folder, 'tool'), '#!/bin/sh\necho "$1|$2|$OWN|$HOME"\necho why >&2\nexit 3\n')
  chmodSync(join(folder, 'tool'), 0o755)
  const env = { PATH: folder, OWN: 'own' }
  const answer = { exitCode: 3, stdout: 'a b|"c"|own|\n', stderr: 'why\n' }
  assert.deepEqual(await ask('tool', ['a b', '"c"'], env), answer)
  // What the log gets shows in a process of its own.
  const script = `const { ask } = await import(${JSON.stringify(module)})
    await ask('tool', ['x'], ${JSON.stringify(env)})`
  assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', script]).toString(), '')
})

test('a program that is not on PATH is an error', async () => {
  await assert.rejects(ask('sh', [], { PATH: '/nowhere' }), /^Error: sh is not on PATH$/)
})
