import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { tempFolder } from '../../../lab/temp.ts'
import { findOnPath, findProgram } from '../../../src/process/find-program.ts'

function write(folder: string, name: string, mode: number): string {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, name)
  writeFileSync(file, '#!/bin/sh\n')
  chmodSync(file, mode)
  return file
}

test('a program is an executable file on the PATH that it is given', async () => {
  await using temp = tempFolder('programs')
  const [first, second] = [join(temp.path, 'first'), join(temp.path, 'second')]
  write(first, 'tool', 0o644)
  mkdirSync(join(first, 'folder'))
  const tool = write(second, 'tool', 0o755)
  const PATH = `${first}:${second}`
  assert.equal(await findOnPath('tool', { PATH }), tool)
  assert.equal(await findOnPath('folder', { PATH }), null)
  assert.equal(await findOnPath('tool', { PATH: first }), null)
  assert.equal(await findOnPath('sh', {}), null)
})

test('on Windows a program is found by PATHEXT', async () => {
  await using temp = tempFolder('programs')
  const cmd = write(temp.path, 'aws.cmd', 0o644)
  write(temp.path, 'aws', 0o755)
  const module = pathToFileURL(join(import.meta.dirname, '../../../src/process/find-program.ts')).href
  // @actions/io looks at the platform when it is loaded, so this takes a process of its own.
  const script = `
    Object.defineProperty(process, 'platform', { value: 'win32' })
    const { findProgram } = await import(${JSON.stringify(module)})
    console.log(await findProgram(process.argv[1], 'aws'))`
  const env = { ...process.env, PATHEXT: '.exe:.cmd' }
  const found = execFileSync(process.execPath, ['--input-type=module', '-e', script, temp.path], { env })
  assert.equal(found.toString().trim(), cmd)
  assert.equal(await findProgram(temp.path, 'aws'), join(temp.path, 'aws'))
})
