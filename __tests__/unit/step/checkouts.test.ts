import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { tempFolder } from '../../../lab/temp.ts'
import { findCheckouts } from '../../../src/step/checkouts.ts'

test('checkouts are found at every depth, and links in a circle end', async () => {
  const top = tempFolder('workspace').path
  mkdirSync(join(top, 'a/b/c/.git'), { recursive: true })
  symlinkSync(top, join(top, 'a/b/up'))
  symlinkSync('nowhere', join(top, 'broken'))
  assert.deepEqual(await findCheckouts(top), [join(top, 'a/b/c')])
})

test('a search that would take too long is refused instead of ended early', async () => {
  const top = tempFolder('workspace').path
  mkdirSync(join(top, 'a/b'), { recursive: true })
  assert.deepEqual(await findCheckouts(top, 3), [])
  await assert.rejects(findCheckouts(top, 2), /has more than 2 folders/)
})
