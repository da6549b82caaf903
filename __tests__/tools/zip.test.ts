import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertWholeZip } from '../../src/tools/zip.ts'
import { tempFolder } from '../support/temp.ts'
import { zipOf } from './bundle.ts'

const whole = zipOf({ 'aws/dist/aws': Buffer.alloc(300, 'x'), 'aws/README.md': Buffer.from('read me') })

async function check(content: Buffer): Promise<void> {
  await using folder = tempFolder('zip')
  const file = join(folder.path, 'bundle.zip')
  writeFileSync(file, content)
  await assertWholeZip(file)
}

test('takes a whole zip, with a comment too', async () => {
  await check(whole)
  const commented = Buffer.concat([whole, Buffer.from('by AWS')])
  commented.writeUInt16LE(6, whole.length - 2)
  await check(commented)
})

test('refuses one that is cut at any byte', async () => {
  for (let length = 0; length < whole.length; length += 1) {
    await assert.rejects(check(whole.subarray(0, length)), /no zip|not complete/, `cut at ${length}`)
  }
})

test('refuses one with something before, behind or missing in the middle', async () => {
  await assert.rejects(check(Buffer.concat([Buffer.from('MZ'), whole])), /no zip/)
  await assert.rejects(check(Buffer.concat([whole, Buffer.from('x')])), /not complete/)
  await assert.rejects(check(Buffer.concat([whole.subarray(0, 100), whole.subarray(150)])), /not complete/)
})

test('refuses a login page', async () => {
  await assert.rejects(
    check(Buffer.from(`<html>${'please sign in '.repeat(20)}</html>`)),
    /no zip \(\d+ bytes\)/,
  )
})
