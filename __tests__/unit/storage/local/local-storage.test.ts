import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { tempFolder } from '../../../../lab/temp.ts'
import { localStorage, publishOnce } from '../../../../src/storage/local/local-storage.ts'

const KEY = 'shop/app/none/2026-11-01-02-00-00-000000.dump'

/** All files below a folder, whatever their names. */
function files(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name)
}

test('nobody else may read a dump, and a partial one has a name that no key has', async () => {
  await using folder = tempFolder()
  const storage = localStorage(folder.path)
  const sink = await storage.upload(KEY, 10)
  await new Promise((written) => sink.stream.write(Buffer.alloc(3 << 20), written))
  assert.match(files(folder.path).join(), /^\.pgclone-partial-[0-9a-f]{16}$/)
  await sink.commit()
  assert.equal(statSync(storage.address(KEY)).mode & 0o777, 0o600)
})

test('a sweep removes partial files that no job can still be writing, and nothing else', async () => {
  await using folder = tempFolder()
  const partial = (digit: string) => `.pgclone-partial-${digit.repeat(16)}`
  const ages = { [partial('a')]: 6.1, [partial('b')]: 5, '.pgclone-partial-notes': 30, 'old.dump': 30 }
  for (const [name, days] of Object.entries(ages)) {
    const path = join(folder.path, name)
    writeFileSync(path, 'x')
    const time = new Date(Date.now() - days * 864e5)
    utimesSync(path, time, time)
  }
  await localStorage(folder.path).sweep()
  assert.deepEqual(files(folder.path).sort(), ['.pgclone-partial-notes', partial('b'), 'old.dump'].sort())
})

test('without hard links the first writer wins as well', async () => {
  await using folder = tempFolder()
  const noLinks = () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' }))
  const target = join(folder.path, 'target')
  const outcomes = await Promise.allSettled(
    ['one', 'two', 'three'].map(async (text) => {
      writeFileSync(join(folder.path, text), text)
      await publishOnce(join(folder.path, text), target, noLinks)
      return text
    }),
  )
  const winners = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []))
  assert.deepEqual(winners, [readFileSync(target, 'utf8')])
  const full = () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }))
  await assert.rejects(publishOnce(target, join(folder.path, 'other'), full), /full/)
})

test('symbolic links do not lead out of the folder', async () => {
  await using outside = tempFolder('outside')
  await using folder = tempFolder()
  writeFileSync(join(outside.path, 'secret.dump'), 'secret')
  mkdirSync(join(folder.path, 'shop/app/none'), { recursive: true })
  symlinkSync(join(outside.path, 'secret.dump'), join(folder.path, KEY))
  symlinkSync(outside.path, join(folder.path, 'evil'))
  const storage = localStorage(folder.path)
  for (const key of [KEY, 'evil/secret.dump']) {
    const attempts = [() => storage.size(key), () => storage.download(key), () => storage.readTexts([key])]
    for (const attempt of attempts) await assert.rejects(attempt, /leads out of the storage location/, key)
  }
  await assert.rejects(storage.upload('evil/new.dump', 1), /leads out of the storage location/)
  assert.deepEqual(await storage.list(''), [])
  assert.deepEqual(files(outside.path), ['secret.dump'])
})

test('a storage folder may itself be a link', async () => {
  await using real = tempFolder('real')
  await using folder = tempFolder()
  symlinkSync(real.path, join(folder.path, 'dumps'))
  const storage = localStorage(join(folder.path, 'dumps'))
  const sink = await storage.upload(KEY, 1)
  await sink.commit()
  assert.deepEqual(await storage.list('shop/'), [{ key: KEY, size: 0 }])
  assert.equal(await storage.size(KEY), 0)
})

test('a missing folder is empty, and one that cannot be read is an error', async () => {
  await using folder = tempFolder()
  writeFileSync(join(folder.path, 'file'), '')
  assert.deepEqual(await localStorage(join(folder.path, 'nowhere')).list(''), [])
  assert.deepEqual(await localStorage(folder.path).list('file'), [])
  await assert.rejects(localStorage(join(folder.path, 'file')).list(''), /Cannot list/)
  const part = /Cannot write to storage-location .*: a part of the path is a file/
  await assert.rejects(localStorage(join(folder.path, 'file')).check(''), part)
  await assert.rejects(localStorage(join(folder.path, 'file', 'dumps')).check(''), part)
})

test('a folder that cannot be made is refused at once, also where Node would try for ever', async () => {
  for (const path of ['/proc/pgclone', '/proc/pgclone/a/b'])
    await assert.rejects(localStorage(path).check(''), /Cannot write to storage-location \/proc\/pgclone/)
})

test('a check makes the folder and leaves nothing in it', async () => {
  await using folder = tempFolder()
  const storage = localStorage(join(folder.path, 'a/b'))
  await Promise.all([storage.check(''), storage.check(''), storage.check('')])
  assert.ok(existsSync(join(folder.path, 'a/b')))
  assert.deepEqual(files(folder.path), [])
})

test('a write that fails says why', async () => {
  await using folder = tempFolder()
  const storage = localStorage(folder.path)
  const sink = await storage.upload(KEY, 1)
  // The file is opened already: what fails is the stream, as it would on a full disk.
  sink.stream.destroy(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
  assert.match((await sink.died).message, /storage-location .*: the disk is full/)
  await assert.rejects(sink.commit(), /the disk is full/)
  await sink.abort()
  assert.deepEqual(files(folder.path), [])
})
