import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  assertSame,
  build,
  copyData,
  joined,
  type Sample,
  split,
} from '../../../lab/archive/sample-archive.ts'
import { tempFolder } from '../../../lab/temp.ts'
import {
  type ArchiveStage,
  type Compression,
  createDecoder,
  createEncoder,
  readContents,
  SplitArchive,
} from '../../../src/archive/archive.ts'
import { Gatherer } from '../../../src/archive/gatherer.ts'

const COUNT = 1000

/** Many tables of two rows, and as many large objects of a few bytes. */
const MANY: Sample = {
  entries: [
    ...Array.from({ length: COUNT }, (_, n) => ({
      ...{ id: n + 1, desc: 'TABLE DATA', tag: `t${n}`, copy: 'COPY' },
      data: copyData([`${n}\ta`, `${n}\tb`]),
    })),
    {
      ...{ id: COUNT + 1, desc: 'BLOBS', tag: 'BLOBS', namespace: null },
      data: Array.from({ length: COUNT }, (_, n) => ({ oid: n + 1, chunks: [Buffer.from(`object ${n}`)] })),
    },
  ],
}
const METHODS: Compression[] = [{ method: 'none' }, { method: 'gzip' }, { method: 'zstd' }]

/** Passes an archive through a stage and returns the buffers that come out. */
async function outputs(stage: ArchiveStage, bytes: Buffer): Promise<Buffer[]> {
  const found: Buffer[] = []
  for await (const output of stage.transform(split(bytes, () => 65_536))) found.push(output)
  return found
}

test('gathered buffers keep their order, and small ones are joined', () => {
  const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(200_000)), { maxLength: 60 })
  fc.assert(
    fc.property(sizes, (lengths) => {
      const gatherer = new Gatherer()
      const buffers = lengths.map((length, n) => Buffer.alloc(length, n))
      const written = [...buffers.flatMap((buffer) => gatherer.add([buffer])), ...gatherer.rest()]
      assertSame(Buffer.concat(written), Buffer.concat(buffers))
      const large = lengths.filter((length) => length >= 65_536).length
      const bytes = lengths.reduce((sum, length) => sum + length, 0)
      assert.ok(written.length <= 2 * (large + 1) + (2 * bytes) / 65_536, `${written.length} writes`)
    }),
    { numRuns: 30 },
  )
})

for (const compression of METHODS) {
  test(`many small entries need few writes with ${compression.method}`, async () => {
    const encoded = await outputs(createEncoder({ compression, jobs: 2 }), build(MANY))
    const decoder = createDecoder({ jobs: 2 })
    const decoded = await outputs(decoder, Buffer.concat(encoded))
    const minor = compression.method === 'zstd' ? 15 : 14
    assertSame(Buffer.concat(decoded), joined({ ...MANY, minor }))
    assert.equal(decoder.report().rows, 2 * COUNT)
    for (const written of [encoded, decoded]) assert.ok(written.length < 15, `${written.length} writes`)
  })
}

test('readers of shares get many small entries in few writes, and the schema has none of them', async () => {
  await using folder = tempFolder('split')
  const archive = await SplitArchive.open(
    split(build(MANY), () => 65_536),
    folder.path,
  )
  // With entries of data in it, pg_restore --jobs sorts its list again after each of them.
  assert.deepEqual(await readContents(split(Buffer.concat([...archive.schema]), () => 1000)), [])
  const shares = archive.divide(archive.share({ jobs: 2, bytesOf: () => 64e6 }))
  const read = shares.map(async ({ stream }) => {
    const found: Buffer[] = []
    for await (const part of stream()) found.push(part)
    return found
  })
  await archive.distribute()
  for (const parts of await Promise.all(read)) {
    const decoder = createDecoder({ jobs: 1 })
    await buffer(decoder.transform(split(Buffer.concat(parts), () => 65_536)))
    assert.ok(decoder.report().entries.length > 0)
    assert.ok(parts.length < 15, `${parts.length} writes`)
  }
  await archive.close(new Error('done'))
})
