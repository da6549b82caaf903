import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after } from 'node:test'
import { pathOf, requestS3 } from '../../../lab/s3/client.ts'
import { type S3Store, startS3 } from '../../../lab/s3/s3.ts'
import { startS3rver } from '../../../lab/s3/s3rver.ts'
import { tempFolder } from '../../../lab/temp.ts'
import { localStorage } from '../../../src/storage/local/local-storage.ts'
import type { S3Options } from '../../../src/storage/s3/s3-options.ts'
import { cli, noCli, s3Place } from './s3-place.ts'
import { type Place, testPromises } from './storage-promises.ts'

testPromises({
  name: 'a folder',
  firstWins: true,
  open: async () => {
    const folder = tempFolder('storage')
    const path = join(folder.path, 'new', 'dumps')
    const file = join(folder.path, 'file')
    writeFileSync(file, '')
    return {
      storage: localStorage(path),
      broken: localStorage(file),
      put: async (key, bytes) => {
        mkdirSync(dirname(join(path, key)), { recursive: true })
        writeFileSync(join(path, key), bytes)
      },
      leftovers: () =>
        readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.pgclone-')),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  },
})

/** Places below prefixes of one store; `uploads` lists the keys of its open uploads, where it can. */
function placesOf(
  s3: S3Store,
  uploads: () => string[],
  options: Partial<S3Options> = {},
): () => Promise<Place> {
  let places = 0
  return async () => {
    places += 1
    const prefix = `place-${places}/`
    const { storage, leftovers } = s3Place(s3, prefix, { options })
    return {
      storage,
      broken: s3Place(s3, prefix, { options: { bucket: 'nowhere' } }).storage,
      put: async (key, body) => {
        const { status } = await requestS3(s3, 'PUT', pathOf(prefix + key), { body })
        assert.equal(status, 200)
      },
      leftovers: () => [...leftovers(), ...uploads().filter((key) => key.startsWith(prefix))],
      [Symbol.asyncDispose]: async () => undefined,
    }
  }
}

const s3 = await startS3()
after(() => s3[Symbol.asyncDispose]())
testPromises({
  name: 'a bucket of the laboratory',
  firstWins: cli?.supportsConditionalPut ?? false,
  skip: noCli,
  open: placesOf(s3, () => s3.uploads().map(({ key }) => key)),
})

// An implementation by others: what holds there as well is a promise of S3 and not a habit of our own server.
const s3rver = await startS3rver()
after(() => s3rver[Symbol.asyncDispose]())
testPromises({
  name: 'a bucket of s3rver',
  firstWins: false,
  storeOnly: true,
  skip: noCli,
  // It ignores the condition of a write instead of refusing it.
  open: placesOf(s3rver, () => [], { conditionalPut: false }),
})
