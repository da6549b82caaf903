import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { tempFolder } from '../../../../lab/temp.ts'
import { localStorage, publishOnce } from '../../../../src/storage/local/local-storage.ts'

const KEY = 'shop/app/none/2026-11-01-02-00-00-000000.dump'

/** All files below a folder, whatever their names. */
function files(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name)
}

test('a dump goes in, is listed and comes out', async () => {
  await using folder = tempFolder()
  const storage = localStorage(join(folder.path, 'new', 'dumps'))
  await storage.check()
  const sink = await storage.upload(KEY, 10)
  sink.stream.write('some ')
  sink.stream.write('bytes')
  assert.deepEqual(await storage.list(''), [])
  await sink.commit()
  assert.deepEqual(await storage.list(''), [{ key: KEY, size: 10 }])
  assert.equal(await storage.size(KEY), 10)
  assert.equal(statSync(storage.address(KEY)).mode & 0o777, 0o600)
  const source = await storage.download(KEY)
  assert.equal((await buffer(source.stream)).toString(), 'some bytes')
  await source.finish()
  await storage.remove(KEY)
  assert.equal(await storage.size(KEY), null)
  await storage.remove(KEY)
})

test('a dump is nowhere under its name before the commit, and nothing is left after an abort', async () => {
  await using folder = tempFolder()
  const storage = localStorage(folder.path)
  const sink = await storage.upload(KEY, 10)
  await new Promise((written) => sink.stream.write(Buffer.alloc(3 << 20), written))
  assert.equal(await storage.size(KEY), null)
  assert.match(files(folder.path).join(), /^\.pgclone-partial-[0-9a-f]{16}$/)
  await sink.abort()
  assert.deepEqual(files(folder.path), [])
  const early = await storage.upload(KEY, 10)
  await early.abort()
  assert.deepEqual(files(folder.path), [])
})

test('of many writers of one text, the first wins and the others are told', async () => {
  await using folder = tempFolder()
  const storage = localStorage(folder.path)
  mkdirSync(join(folder.path, 'shop/app/none'), { recursive: true })
  const texts = Array.from({ length: 20 }, (_, index) => `writer ${index}`.repeat(1000))
  const outcomes = await Promise.allSettled(texts.map((text) => storage.writeTextOnce(`${KEY}.json`, text)))
  const winners = texts.filter((_, index) => outcomes[index]!.status === 'fulfilled')
  assert.equal(winners.length, 1)
  assert.equal(readFileSync(storage.address(`${KEY}.json`), 'utf8'), winners[0])
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected')
      assert.match(outcome.reason.message, /exists already; another run wrote it/)
  }
  assert.deepEqual(files(folder.path), [`${KEY.split('/').at(-1)}.json`])
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

test('a text can be replaced, and is whole at every moment', async () => {
  await using folder = tempFolder()
  const storage = localStorage(folder.path)
  const key = 'state.json'
  await storage.writeTextOnce(key, 'old')
  await storage.replaceText(key, 'new')
  assert.deepEqual(await storage.readTexts([key], ''), new Map([[key, 'new']]))
  assert.deepEqual(files(folder.path), [key])
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
    const attempts = [
      () => storage.size(key),
      () => storage.download(key),
      () => storage.readTexts([key], ''),
    ]
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
  await assert.rejects(localStorage(join(folder.path, 'file')).list(''), /Cannot list/)
  await assert.rejects(localStorage(join(folder.path, 'file')).check())
})

test('a write that fails says why', async () => {
  await using folder = tempFolder()
  const storage = localStorage(folder.path)
  const sink = await storage.upload(KEY, 1)
  // The file is opened already: what fails is the stream, as it would on a full disk.
  sink.stream.destroy(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
  assert.match((await sink.died).message, /storage-location: the disk is full/)
  await assert.rejects(sink.commit(), /the disk is full/)
  await sink.abort()
  assert.deepEqual(files(folder.path), [])
})
