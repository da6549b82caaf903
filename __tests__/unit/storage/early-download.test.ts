import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import type { Source } from '../../../src/process/transfer.ts'
import { EarlyDownload } from '../../../src/storage/early-download.ts'
import type { Storage } from '../../../src/storage/storage.ts'

/** A storage whose downloads write down when they are opened and ended. */
function storage(failing = '') {
  const events: string[] = []
  const download = async (key: string): Promise<Source> => {
    events.push(`open ${key}`)
    if (key === failing) throw new Error(`there is no ${key}`)
    return {
      stream: Readable.from([Buffer.from(key)]),
      finish: async () => undefined,
      abort: async () => void events.push(`end ${key}`),
    }
  }
  return { events, storage: { download } as unknown as Storage }
}

test('a download that began early is used once, and then a new one is opened', async () => {
  const at = storage()
  await using early = new EarlyDownload(at.storage)
  early.begin('a')
  await early.keep('a')
  await early.open('a')
  assert.deepEqual(at.events, ['open a'])
  await early.open('a')
  assert.deepEqual(at.events, ['open a', 'open a'])
})

test('a download of the wrong dump, or one that nothing uses, is ended', async () => {
  const at = storage()
  {
    await using early = new EarlyDownload(at.storage)
    early.begin('a')
    await early.keep('b')
    assert.deepEqual(at.events, ['open a', 'end a'])
    early.begin('a')
  }
  assert.deepEqual(at.events, ['open a', 'end a', 'open a', 'end a'])
})

test('a download that fails early says so when it is opened, and not before', async () => {
  const at = storage('a')
  await using early = new EarlyDownload(at.storage)
  early.begin('a')
  await new Promise((resolve) => setTimeout(resolve, 10))
  await assert.rejects(early.open('a'), /there is no a/)
  early.begin('a')
})
