import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { tempFolder } from '../../../lab/temp.ts'
import { removeTree } from '../../../src/process/remove-tree.ts'

test('a folder goes with all that is in it, and a missing one is not an error', async () => {
  await using temp = tempFolder('tree')
  const folder = join(temp.path, 'folder')
  mkdirSync(join(folder, 'deep'), { recursive: true })
  writeFileSync(join(folder, 'deep', 'file'), 'x')
  await removeTree(folder)
  assert.equal(existsSync(folder), false)
  await removeTree(folder)
})
