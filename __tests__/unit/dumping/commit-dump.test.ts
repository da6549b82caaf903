import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { keyOf, manifestOf, writeFiles } from '../../../lab/sample-dumps.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { commitDump } from '../../../src/dumping/commit-dump.ts'
import { localStorage } from '../../../src/storage/local/local-storage.ts'
import { type Storage, TakenError } from '../../../src/storage/storage.ts'

const key = keyOf('shop/app/none', 1)
const DATA = '2026-11-01-02-00-00-000000.dump'
const BOTH = [DATA, `${DATA}.json`]

/** Commits a dump in a folder whose operations end as given, and returns what is stored then. */
async function commitWith(
  faults: (real: Storage) => Partial<Storage>,
  signal = new AbortController().signal,
) {
  await using folder = tempFolder()
  writeFiles(folder.path, { [key.key]: '0123456789' })
  const real = localStorage(folder.path)
  const error = await commitDump({ ...real, ...faults(real) }, manifestOf(key, 10), signal).then(
    () => null,
    (reason: Error) => reason.message,
  )
  return { error, stored: readdirSync(join(folder.path, dirname(key.key))).sort() }
}

/** A write that happens and whose answer is lost. */
const lostAnswer = (real: Storage): Storage['writeTextOnce'] => {
  return async (name, text) => {
    await real.writeTextOnce(name, text)
    throw new Error('the answer is lost')
  }
}

test('data and manifest are both stored, or neither is', async () => {
  assert.deepEqual(await commitWith(() => ({})), { error: null, stored: BOTH })
  const refused = () => Promise.reject(new Error('refused'))
  assert.deepEqual(await commitWith(() => ({ writeTextOnce: refused })), { error: 'refused', stored: [] })
  const lost = await commitWith((real) => ({ writeTextOnce: lostAnswer(real) }))
  assert.deepEqual(lost, { error: 'the answer is lost', stored: [] })
})

test('a dump of which the store holds another size takes its manifest with it', async () => {
  for (const [size, found] of [
    [9, 'holds 9 bytes'],
    [null, 'does not have it'],
  ] as const) {
    const short = await commitWith((real) => ({
      size: async () => size,
      writeTextOnce: async (name, text) => {
        // The manifest is written while the size is asked for.
        await new Promise((resolve) => setTimeout(resolve, 20))
        await real.writeTextOnce(name, text)
      },
    }))
    assert.match(short.error!, new RegExp(`10 bytes were sent and the store ${found}`))
    assert.deepEqual(short.stored, [])
  }
})

test('a manifest that cannot be removed keeps its data', async () => {
  const lost = await commitWith((real) => ({
    writeTextOnce: lostAnswer(real),
    remove: (name) => (name.endsWith('.json') ? Promise.reject(new Error('denied')) : real.remove(name)),
  }))
  assert.deepEqual(lost, { error: 'the answer is lost', stored: BOTH })
})

test('a cancel before the write removes the data, and asks for nothing else', async () => {
  const removed: string[] = []
  const cancelled = await commitWith(
    (real) => ({ remove: (name) => real.remove(name).then(() => void removed.push(name)) }),
    AbortSignal.abort(new Error('cancelled')),
  )
  assert.deepEqual(cancelled, { error: 'cancelled', stored: [] })
  assert.deepEqual(removed, [key.key])
})

test('what another run committed under the same key stays', async () => {
  const taken = await commitWith((real) => ({
    writeTextOnce: async (name, text) => {
      await real.writeTextOnce(name, text)
      throw new TakenError(name)
    },
  }))
  assert.deepEqual(taken.stored, BOTH)
})
