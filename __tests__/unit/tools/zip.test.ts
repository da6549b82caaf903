import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { tempFolder } from '../../../lab/temp.ts'
import { findReal } from '../../../lab/tools/fake-machine.ts'
import { zipOf } from '../../../lab/tools/zip-file.ts'
import { assertWholeZip, unzip } from '../../../src/tools/zip.ts'

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
    await assert.rejects(check(whole.subarray(0, length)), /not a zip file|not complete/, `cut at ${length}`)
  }
})

test('refuses one with something before, behind or missing in the middle', async () => {
  await assert.rejects(check(Buffer.concat([Buffer.from('MZ'), whole])), /not a zip file/)
  await assert.rejects(check(Buffer.concat([whole, Buffer.from('x')])), /not complete/)
  await assert.rejects(check(Buffer.concat([whole.subarray(0, 100), whole.subarray(150)])), /not complete/)
})

test('refuses a login page', async () => {
  await assert.rejects(
    check(Buffer.from(`<html>${'please sign in '.repeat(20)}</html>`)),
    /not a zip file \(\d+ bytes\)/,
  )
})

/** Unpacks a zip into a fresh folder and reads files of it. */
async function unpacked(content: Buffer, ...names: string[]): Promise<Buffer[]> {
  await using folder = tempFolder('zip')
  writeFileSync(join(folder.path, 'bundle.zip'), content)
  await unzip(join(folder.path, 'bundle.zip'), join(folder.path, 'out'))
  assert.equal(existsSync(join(folder.path, 'evil')), false)
  return names.map((name) => {
    if (process.platform !== 'win32')
      assert.equal(statSync(join(folder.path, 'out', name)).mode & 0o777, 0o755)
    return readFileSync(join(folder.path, 'out', name))
  })
}

test('unpacks stored and deflated files with their modes', async () => {
  const files = {
    'aws/dist/aws': Buffer.alloc(100_000, 'abc'),
    'aws/empty': Buffer.alloc(0),
    ü: Buffer.from('ü'),
  }
  for (const deflate of [false, true]) {
    assert.deepEqual(await unpacked(zipOf(files, deflate), ...Object.keys(files)), Object.values(files))
  }
})

const python = findReal('python3')

test('unpacks what another program packed', {
  skip: python ? false : 'python3 is not installed',
}, async () => {
  await using folder = tempFolder('zip')
  const file = join(folder.path, 'x.zip')
  const script = [
    'import sys, zipfile',
    'z = zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED)',
    'z.mkdir("aws")',
    'i = zipfile.ZipInfo("aws/run", (2026, 7, 1, 0, 0, 0)); i.external_attr = 0o100755 << 16',
    'z.writestr(i, "run " * 9999, zipfile.ZIP_DEFLATED); z.close()',
  ]
  execFileSync(python!, ['-c', script.join('\n'), file])
  assert.deepEqual(await unpacked(readFileSync(file), 'aws/run'), [Buffer.from('run '.repeat(9999))])
})

test('refuses names that lead out of the folder', async () => {
  for (const name of [
    '../evil',
    'a/../../evil',
    '/evil',
    'a//b',
    './evil',
    '..',
    'C:evil',
    'a\\..\\..\\evil',
  ]) {
    await assert.rejects(unpacked(zipOf({ [name]: Buffer.from('x') })), /zip is damaged at/, name)
  }
})

/** A zip whose first entry is a link. */
function withLink(name: string, target: string, others: Record<string, Buffer> = {}): Buffer {
  const zip = zipOf({ [name]: Buffer.from(target), ...others })
  zip.writeUInt16LE(0o120777, zip.indexOf('PK\x01\x02', 0, 'latin1') + 40)
  return zip
}

test('makes a link to another entry', async () => {
  const content = Buffer.from('a library')
  const zip = withLink('aws/lib.so', '../shared/lib.so.1', { 'shared/lib.so.1': content })
  assert.deepEqual(await unpacked(zip, 'aws/lib.so'), [content])
})

test('refuses a link that leads out of the folder, and to write over a file through one', async () => {
  for (const target of ['/etc/passwd', '../../evil', 'x/../../../evil', '../../..']) {
    await assert.rejects(unpacked(withLink('aws/a', target)), /zip is damaged at/, target)
  }
  const twice = withLink('a', 'b', { 'b/c': Buffer.from('x'), 'a/c': Buffer.from('y') })
  await assert.rejects(unpacked(twice), /EEXIST/)
})

test('refuses content with any byte changed', async () => {
  const content = Buffer.from('content of a file')
  for (const deflate of [false, true]) {
    const zip = zipOf({ a: content }, deflate)
    const directory = zip.indexOf('PK\x01\x02', 0, 'latin1')
    for (let at = 31; at < directory; at += 1) {
      const changed = Buffer.from(zip)
      changed[at]! ^= 0x10
      // A changed byte may inflate to the same; what comes out is right or refused.
      const result = await unpacked(changed, 'a').catch((error: Error) => error)
      if (result instanceof Error) assert.match(result.message, /zip is damaged at "a"/)
      else assert.deepEqual(result, [content])
    }
  }
})
