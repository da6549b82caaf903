import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { keyOf } from '../../../lab/sample-dumps.ts'
import { type Storage, TakenError } from '../../../src/storage/storage.ts'

/** An empty place for dumps. */
export type Place = AsyncDisposable & {
  storage: Storage
  /** The same, where it cannot answer. */
  broken: Storage
  /** Puts an object there, as another program would. */
  put(key: string, bytes: Buffer | string): Promise<void>
  /** What is there beside the objects that a listing shows: partial files, open uploads, temporary files. */
  leftovers(): string[]
}

/** A kind of place that keeps the promises of `Storage`. */
export type Backend = {
  name: string
  open(): Promise<Place>
  /** Whether of two writers at the same moment one wins. Without conditional writes only the later one is refused. */
  firstWins: boolean
  /** Plays only what a store keeps or breaks, without what judges our own handling of its answers. */
  storeOnly?: boolean
  skip?: string | false
}

const KEY = keyOf('shop/app/none', 1).key
const BYTES = Buffer.alloc(9 << 20, 'some bytes')

async function read(storage: Storage, key: string): Promise<Buffer> {
  const source = await storage.download(key)
  const bytes = await buffer(source.stream)
  await source.finish()
  return bytes
}

const keysOf = async (storage: Storage, prefix = '') =>
  (await storage.list(prefix)).map(({ key }) => key).sort()

/** Every promise of `Storage`, as a test. */
export function testPromises(backend: Backend): void {
  describe(backend.name, { concurrency: 2, skip: backend.skip ?? false }, () => {
    test('a dump is nowhere before its commit, and then as it went in, until it is removed', async () => {
      await using place = await backend.open()
      const { storage } = place
      assert.equal(storage.tooLarge(BYTES.length), null)
      assert.ok(storage.address(KEY).endsWith(`/${KEY}`))
      const sink = await storage.upload(KEY, BYTES.length)
      await new Promise((written) => sink.stream.write(BYTES, written))
      assert.deepEqual(await storage.check(''), [])
      await sink.commit()
      assert.equal(await storage.size(KEY), BYTES.length)
      assert.ok((await read(storage, KEY)).equals(BYTES))
      await storage.remove(KEY)
      if (!backend.storeOnly) await storage.remove(KEY)
      assert.equal(await storage.size(KEY), null)
      assert.deepEqual(place.leftovers(), [])
    })

    test('a listing has whole key parts, names and sizes as they are, and exactly the named keys are deleted', async () => {
      await using place = await backend.open()
      const { storage } = place
      const keys = [
        'shop/app/a.dump',
        'shop/app/a.dump.json',
        'shop/nône + co.dump',
        'shop/ü n+d.txt',
        'shop-eu/a',
      ]
      for (const key of keys) await place.put(key, `text of ${key}`)
      assert.deepEqual(await keysOf(storage, 'shop'), keys.slice(0, 4).sort())
      const removal = await storage.removeAll([keys[0]!, keys[2]!, 'shop/app/gone.dump'])
      assert.deepEqual(removal, { refused: new Map(), versionsStay: false })
      const found = (await storage.list('')).map(({ key, size }) => [key, size])
      const sizes = [keys[1]!, keys[3]!, keys[4]!].map((key) => [key, Buffer.byteLength(`text of ${key}`)])
      assert.deepEqual(Object.fromEntries(found), Object.fromEntries(sizes))
      assert.deepEqual((await storage.removeAll([])).refused, new Map())
    })

    test('texts are read by their keys, and a missing one is an error', async () => {
      await using place = await backend.open()
      const { storage } = place
      const keys = [1, 2, 3, 4].map((day) => `${keyOf('shop/app/none', day).key}.json`)
      for (const key of keys) await place.put(key, `text of ${key}`)
      for (const wanted of [keys.slice(1), []]) {
        const texts = await storage.readTexts(wanted)
        assert.deepEqual(new Map([...texts].sort()), new Map(wanted.map((key) => [key, `text of ${key}`])))
      }
      await assert.rejects(storage.readTexts([`${KEY}.nowhere`]))
      assert.deepEqual(place.leftovers(), [])
    })

    test('a text is published once, of writers at the same moment by one, and can be replaced', async () => {
      await using place = await backend.open()
      const { storage } = place
      const key = `${KEY}.json`
      await place.put(`${KEY}.other`, 'x')
      const writers = backend.firstWins ? ['one', 'two'] : ['one']
      const texts = writers.map((text) => text.repeat(1000))
      const outcomes = await Promise.allSettled(texts.map((text) => storage.writeTextOnce(key, text)))
      const winners = texts.filter((_, index) => outcomes[index]!.status === 'fulfilled')
      assert.equal(winners.length, 1)
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof TakenError)
      if (!backend.firstWins) await assert.rejects(storage.writeTextOnce(key, 'later'), TakenError)
      if (backend.firstWins) assert.deepEqual(await storage.readTexts([key]), new Map([[key, winners[0]]]))
      await storage.replaceText(key, 'third')
      assert.deepEqual(await storage.readTexts([key]), new Map([[key, 'third']]))
      assert.deepEqual(place.leftovers(), [])
    })

    if (backend.storeOnly) return

    test('an aborted upload leaves nothing, whether bytes came or not', async () => {
      await using place = await backend.open()
      const { storage } = place
      const begun = await storage.upload(KEY, 1 << 30)
      await new Promise((written) => begun.stream.write(BYTES, written))
      await begun.abort()
      await (await storage.upload(KEY, 1)).abort()
      assert.deepEqual([await storage.list(''), place.leftovers()], [[], []])
    })

    test('an empty dump is a dump', async () => {
      await using place = await backend.open()
      await (await place.storage.upload(KEY, 0)).commit()
      assert.equal((await read(place.storage, KEY)).length, 0)
    })

    test('a sweep and the end of a killed upload leave dumps, and uploads on their way, alone', async () => {
      await using place = await backend.open()
      const { storage } = place
      const [other] = [keyOf('shop/app/none', 2).key]
      await place.put(KEY, 'committed')
      const sink = await storage.upload(other, BYTES.length)
      await new Promise((written) => sink.stream.write(BYTES, written))
      await storage.sweep()
      await storage.abandon(KEY)
      await sink.commit()
      const found = (await storage.list('')).map(({ key, size }) => [key, size])
      assert.deepEqual(Object.fromEntries(found), { [KEY]: 'committed'.length, [other]: BYTES.length })
    })

    test('the beginning of an object is read, and all of one that is shorter', async () => {
      await using place = await backend.open()
      const { storage } = place
      assert.equal(await storage.readBeginning(KEY, 5), null)
      await place.put(KEY, BYTES)
      assert.ok((await storage.readBeginning(KEY, 100_000))!.equals(BYTES.subarray(0, 100_000)))
      assert.ok((await storage.readBeginning(KEY, BYTES.length + 1))!.equals(BYTES))
    })

    test('a download of what is not there fails, and one that is given up ends', async () => {
      await using place = await backend.open()
      const { storage } = place
      await assert.rejects(read(storage, KEY))
      await place.put(KEY, BYTES)
      const source = await storage.download(KEY)
      await source.abort()
      assert.ok(source.stream.destroyed)
    })

    test('a place that cannot answer is an error, and never an empty answer', async () => {
      await using place = await backend.open()
      const { broken } = place
      await assert.rejects(broken.list(''))
      await assert.rejects(broken.readTexts([`${KEY}.json`]))
      await assert.rejects(broken.writeTextOnce(`${KEY}.json`, 'x'))
      await assert.rejects(async () => {
        const sink = await broken.upload(KEY, 1)
        sink.stream.write('x')
        await sink.commit()
      })
    })
  })
}
