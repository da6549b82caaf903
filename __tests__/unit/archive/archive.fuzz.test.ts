import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { build, int, shop } from '../../../lab/archive/sample-archive.ts'
import { ArchiveError, createDecoder, createEncoder } from '../../../src/archive/archive.ts'

let tried = 0
const MIB = 2 ** 20

/** Reads an archive to its end and says how much came out, or why not; anything but an ArchiveError is a slip. */
async function read(input: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<number | ArchiveError> {
  tried += 1
  let bytes = 0
  try {
    const source = async function* () {
      yield* input
    }
    for await (const piece of createDecoder({ jobs: 2 }).transform(source())) bytes += piece.length
    return bytes
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error
    assert.doesNotMatch(error.message, /\n| at /)
    return error
  }
}

/** How much our memory grew, at most, while something was read. */
async function growth(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage.rss()
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss() - before)
  }, 5)
  await work()
  clearInterval(timer)
  return Math.max(most, process.memoryUsage.rss() - before)
}

test('#24 lengths and counts that are lies are refused before they cost memory', async (t) => {
  const bytes = build(shop())
  const lies = [0x7fffffff, 0x04000001]
  const grown = await growth(async () => {
    for (const lie of lies) {
      for (let at = 5; at + 5 < Math.min(bytes.length, 1500); at += 2) {
        const altered = Buffer.from(bytes)
        altered[at] = 0
        altered.writeUInt32LE(lie, at + 1)
        const result = await read([altered])
        assert.ok(result instanceof ArchiveError || result > 0)
      }
    }
  })
  t.diagnostic(`bad inputs: ${tried}`)
  assert.ok(grown < 300 * MIB, `grew by ${grown >> 20} MiB`)
})

test('#24 several bytes altered anywhere give an ArchiveError or data, never anything else', async (t) => {
  const before = tried
  const samples = await Promise.all(
    (['none', 'gzip', 'zstd'] as const).map(async (method) => {
      const pieces: Buffer[] = []
      const source = async function* () {
        yield build(shop())
      }
      for await (const piece of createEncoder({ compression: { method }, jobs: 2 }).transform(source()))
        pieces.push(piece)
      return Buffer.concat(pieces)
    }),
  )
  const change = fc.tuple(fc.nat(), fc.nat(255))
  const property = fc.asyncProperty(
    fc.constantFrom(...samples),
    fc.array(change, { minLength: 1, maxLength: 8 }),
    async (sample, changes) => {
      const altered = Buffer.from(sample)
      for (const [at, value] of changes) altered[at % altered.length] = value
      await read([altered])
    },
  )
  await fc.assert(property, { numRuns: 1000 })
  t.diagnostic(`bad inputs: ${tried - before}`)
})

/** The archive of one table whose data are so many times a chunk that is small and becomes large. */
async function* bomb(chunk: Buffer, times: number, algorithm: number): AsyncGenerator<Buffer> {
  const entry = { id: 1, desc: 'TABLE DATA', copy: 'COPY', data: [] as Buffer[] }
  yield build({ minor: 15, algorithm, entries: [entry] }).subarray(0, -5)
  for (let n = 0; n < times; n += 1) yield Buffer.concat([int(chunk.length), chunk])
  yield int(0)
}

/** As the header names them (`pg_compress_algorithm` in compression.h). */
const ALGORITHMS = { gzip: 1, zstd: 3 }

test('#24 bombs pass in pieces: memory stays bounded, and a frame that lies about its size is refused', async (t) => {
  const before = tried
  const zeros = Buffer.alloc(64 * MIB)
  const grown = await growth(async () => {
    // One deflate stream, a thousandth of what comes out of it.
    const deflated = deflateSync(zeros)
    assert.ok(Number(await read(bomb(deflated, 1, ALGORITHMS.gzip))) > zeros.length)
    const frame = zstdCompressSync(zeros)
    assert.ok(Number(await read(bomb(frame, 1, ALGORITHMS.zstd))) > zeros.length)
    // A frame whose header promises a kibibyte and which holds 64 MiB.
    const lying = zstdCompressSync(zeros)
    lying.writeUInt32LE(1024, 6)
    await read(bomb(lying, 1, ALGORITHMS.zstd))
  })
  t.diagnostic(`bad inputs: ${tried - before}`)
  assert.ok(grown < 300 * MIB, `grew by ${grown >> 20} MiB`)
})
