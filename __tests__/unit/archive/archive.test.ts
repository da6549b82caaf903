import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import {
  assertSame,
  build,
  copyData,
  int,
  joined,
  pass,
  rejoin,
  type Sample,
  shop,
  split,
} from '../../../lab/archive/sample-archive.ts'
import { ArchiveError, type Compression, createDecoder, createEncoder } from '../../../src/archive/archive.ts'

const METHODS: Compression[] = [{ method: 'none' }, { method: 'gzip' }, { method: 'zstd' }]
const MINORS = [12, 13, 14, 15, 16]

const encoder = (compression: Compression) => createEncoder({ compression, jobs: 2 })
const encode = (sample: Sample, compression: Compression) => pass(encoder(compression), build(sample))
const nameOf = ({ method }: Compression) => method

for (const minor of MINORS) {
  for (const compression of METHODS) {
    test(`1.${minor} survives ${nameOf(compression)} and back`, async () => {
      const sample = shop(minor)
      const written = compression.method === 'zstd' ? Math.max(minor, 15) : minor
      // Before 1.14 nobody knew of access methods.
      if (minor < 14) for (const entry of sample.entries) entry.tableam = null
      const encoded = await encode(sample, compression)
      assert.equal(encoded[6], written)
      const decoder = createDecoder({ jobs: 2 })
      assertSame(await rejoin(await pass(decoder, encoded)), joined({ ...sample, minor: written }))
      assert.equal(decoder.report().version, `1.${written}`)
    })
  }
}

test('the report says what the archive says and what passed', async () => {
  const stage = encoder({ method: 'zstd' })
  assert.throws(() => stage.report(), /not read to its end/)
  await pass(stage, build(shop()))
  const { entries, ...report } = stage.report()
  assert.equal(entries.length, 7)
  assert.deepEqual(report, {
    opaque: false,
    version: '1.14',
    algorithm: 'none',
    serverVersion: '15.18',
    clientVersion: '15.18 (test)',
    database: 'shop',
    encoding: 'UTF8',
    createDatabase: 'CREATE DATABASE shop;\n',
    tables: [
      { schema: 'public', name: 'orders', rows: 4, bytes: 319 },
      { schema: 'public', name: 'Ünïts', rows: 0, bytes: 5 },
    ],
    rows: 4,
    rawBytes: 319 + 5 + 20_005,
  })
  assert.deepEqual(stage.progress, {
    table: null,
    tableRows: 0,
    tableBytes: 20_005,
    rows: 4,
    rawBytes: 20_329,
  })
})

test('rows of INSERT statements are unknown', async () => {
  const stage = encoder({ method: 'none' })
  const data = [Buffer.from('INSERT INTO t VALUES (1);\n')]
  await pass(stage, build({ entries: [{ id: 1, desc: 'TABLE DATA', data }] }))
  assert.equal(stage.report().tables[0]!.rows, null)
  assert.equal(stage.report().rows, null)
})

test('the input may come in any pieces', async () => {
  const sample = shop()
  for (const compression of METHODS) {
    const bytes = await encode(sample, compression)
    const plain = joined({ ...sample, minor: bytes[6]! })
    assertSame(await rejoin(await pass(createDecoder({ jobs: 2 }), bytes, 1)), plain)
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.integer({ min: 1, max: 600 })), async (sizes) => {
        const source = split(bytes, () => sizes.next().value)
        assertSame(await rejoin(await buffer(createDecoder({ jobs: 2 }).transform(source))), plain)
      }),
      { numRuns: 20 },
    )
  }
})

test('rows longer than a piece, and many pieces, keep their order', async () => {
  const long = (n: number) => Buffer.alloc(2_500_000 + n, `${n}`)
  const data = [
    ...Array.from({ length: 6 }, (_, n) => Buffer.concat([long(n), Buffer.from('\n')])),
    ...copyData([]),
  ]
  const sample: Sample = { entries: [{ id: 1, desc: 'TABLE DATA', copy: 'COPY', data }] }
  for (const compression of METHODS) {
    const decoder = createDecoder({ jobs: 3 })
    const decoded = await pass(decoder, await encode(sample, compression))
    assert.equal(decoder.report().rows, 6)
    assert.ok(payload(decoded).equals(Buffer.concat(data)))
  }
})

test('data that cannot be compressed keep their order as well', async () => {
  const data = Array.from({ length: 40 }, () => randomBytes(400_000))
  const sample: Sample = { entries: [{ id: 1, desc: 'TABLE DATA', copy: 'COPY', data }] }
  for (const compression of METHODS) {
    const decoded = await pass(createDecoder({ jobs: 4 }), await encode(sample, compression))
    assert.ok(payload(decoded).equals(Buffer.concat(data)), nameOf(compression))
  }
})

/** Data of the only entry, by the length of its chunks. */
function payload(archive: Buffer): Buffer {
  let at = archive.indexOf(Buffer.concat([Buffer.from([1]), int(1)]), 200) + 6
  const parts: Buffer[] = []
  for (let length = archive.readInt32LE(at + 1); length > 0; length = archive.readInt32LE(at + 1)) {
    parts.push(archive.subarray(at + 5, at + 5 + length))
    at += 5 + length
  }
  assert.equal(at + 5, archive.length)
  return Buffer.concat(parts)
}

test('#24 every cut is noticed', async () => {
  const sample = shop()
  sample.entries[3]!.data = copyData(['1', '2'])
  for (const compression of METHODS) {
    const bytes = await encode(sample, compression)
    for (let cut = 0; cut < bytes.length; cut += cut > 1200 && cut < bytes.length - 200 ? 97 : 1) {
      await assert.rejects(
        pass(createDecoder({ jobs: 2 }), bytes.subarray(0, cut), 4096),
        (error) => error instanceof ArchiveError && error.offset <= cut,
        `cut at ${cut} of ${bytes.length}`,
      )
    }
  }
})

test('what is missing is named', async () => {
  const bytes = build(shop())
  const lastBlock = bytes.lastIndexOf(Buffer.concat([Buffer.from([3]), int(6)]))
  await assert.rejects(
    pass(encoder({ method: 'none' }), bytes.subarray(0, lastBlock)),
    /ends without the data of BLOBS BLOBS \(at byte \d+ of the archive\)/,
  )
})

test('flipped bytes are an ArchiveError or data, never anything else', async () => {
  for (const compression of METHODS) {
    const bytes = await encode(shop(), compression)
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const flipped = Buffer.from(bytes)
        flipped[at]! ^= mask
        await pass(createDecoder({ jobs: 2 }), flipped).catch((error: unknown) => {
          if (!(error instanceof ArchiveError)) throw error
        })
      }),
      { numRuns: 400 },
    )
  }
})

test('what is no archive is refused in so many words', async () => {
  const bytes = build(shop())
  const altered = (at: number, value: number) => bytes.map((byte, n) => (n === at ? value : byte)) as Buffer
  const cases: [Uint8Array, RegExp][] = [
    [Buffer.alloc(0), /ends inside its magic number \(at byte 0 /],
    [Buffer.from('--\n-- PostgreSQL database dump'), /does not begin with "PGDMP"/],
    [altered(6, 11), /archive version 1\.11 is older than 1\.12 \(at byte 5 /],
    [altered(8, 8), /integers of 8 bytes .*at byte 8 /],
    [altered(9, 3), /file offsets of 3 bytes .*at byte 9 /],
    [altered(10, 3), /archive format 3 is not the custom format \(at byte 10 /],
    [altered(11, 2), /compression level has the impossible sign byte 2 \(at byte 11 /],
    [Buffer.concat([bytes, Buffer.from('x')]), /ends inside what follows the data/],
    [Buffer.concat([bytes, int(99)]), /there are bytes after the data of the last entry/],
  ]
  for (const [input, message] of cases) {
    await assert.rejects(pass(encoder({ method: 'none' }), Buffer.from(input)), (error: Error) => {
      assert.ok(error instanceof ArchiveError)
      assert.match(error.message, message)
      return true
    })
  }
})

test('a second table of contents after the data, as pg_dump 16 leaves it in a redirected file, is left out', async () => {
  const sample = shop(16)
  const twice = Buffer.concat([build(sample), int(sample.entries.length), Buffer.from('entries')])
  assertSame(await pass(encoder({ method: 'none' }), twice), joined(sample))
})

test('a newer version passes untouched, unless the reader is too old for it', async () => {
  const bytes = build({ ...shop(), minor: 17 })
  const stage = encoder({ method: 'zstd' })
  assertSame(await pass(stage, bytes, 7), bytes)
  const { opaque, version, rows, rawBytes } = stage.report()
  assert.deepEqual(
    { opaque, version, rows, rawBytes },
    { opaque: true, version: '1.17', rows: null, rawBytes: bytes.length },
  )
  await assert.rejects(
    pass(createDecoder({ jobs: 1, maxVersion: '1.16' }), bytes),
    /version 1\.17 is newer than 1\.16/,
  )
})

test('entries that are not kept go with their data', async () => {
  const sample = shop()
  const keep = new Set([1, 2, 3, 5, 9])
  const decoder = createDecoder({
    jobs: 2,
    select: async (entries) => entries.filter((entry) => keep.has(entry.dumpId)),
  })
  const expected = { ...sample, minor: 15, entries: sample.entries.filter((entry) => keep.has(entry.id)) }
  assertSame(await pass(decoder, await encode(sample, { method: 'zstd' })), joined(expected))
  assert.deepEqual(
    decoder.report().tables.map((table) => table.name),
    ['Ünïts'],
  )
})

test('#26 version 1.16 is told in the words of 1.14', async () => {
  const oids = '50001\n50002\n'
  const acl =
    'GRANT SELECT ON LARGE OBJECT 50001 TO bob;\nGRANT ALL ON LARGE OBJECT 50001 TO "x ON LARGE OBJECT";\n'
  const data = [{ oid: 50001, chunks: [Buffer.from('a')] }]
  const group: Sample['entries'] = [
    { id: 1, desc: 'TABLE', tag: 'parted', tableam: 'columnar', relkind: 'p'.charCodeAt(0) },
    { id: 2, desc: 'BLOB METADATA', tag: '50001..50002', namespace: null, defn: oids },
    {
      id: 3,
      desc: 'ACL',
      tag: 'LARGE OBJECTS 50001..50002',
      namespace: null,
      defn: acl,
      dependencies: ['2'],
    },
    { id: 4, desc: 'STATISTICS DATA', tag: 'parted', defn: 'SELECT …' },
    { id: 5, desc: 'BLOBS', tag: '50001..50002', namespace: null, dependencies: ['2'], data },
  ]
  const decoder = createDecoder({ jobs: 1, maxVersion: '1.14' })
  const lowered = await pass(decoder, build({ minor: 16, entries: group }))
  assert.equal(lowered[6], 14)
  const again = createDecoder({ jobs: 1 })
  await pass(again, lowered)
  const told = again
    .report()
    .entries.map(({ dumpId, desc, tag, definition }) => [dumpId, desc, tag, definition])
  const create = (oid: number) => `SELECT pg_catalog.lo_create('${oid}');\n`
  assert.deepEqual(told, [
    [1, 'TABLE', 'parted', ''],
    [2, 'BLOB', '50001', create(50001)],
    [6, 'BLOB', '50002', create(50002)],
    [3, 'ACL', 'LARGE OBJECT 50001', acl],
    [7, 'ACL', 'LARGE OBJECT 50002', acl.replaceAll('50001', '50002')],
    [5, 'BLOBS', '50001..50002', ''],
  ])
})

test('lz4 passes as it is, to readers that know it', async () => {
  const sample: Sample = {
    minor: 15,
    algorithm: 2,
    entries: [{ id: 1, desc: 'TABLE DATA', copy: 'COPY', data: [] }],
  }
  sample.entries[0]!.data = [Buffer.from('lz4 '), Buffer.from('stream')]
  const stage = createDecoder({ jobs: 1 })
  assertSame(await pass(stage, build(sample)), build(sample))
  assert.equal(stage.report().tables[0]!.rows, null)
  await assert.rejects(
    pass(createDecoder({ jobs: 1, maxVersion: '1.14' }), build(sample)),
    /compressed with lz4/,
  )
})

test('readers older than PostgreSQL 12 are not written for', () => {
  assert.throws(() => createDecoder({ jobs: 1, maxVersion: '1.13' }), RangeError)
  assert.throws(() => createDecoder({ jobs: 1, maxVersion: 'nonsense' }), RangeError)
})

test('a reader that stops lets go of the source; an error of the source arrives', async () => {
  for (const compression of METHODS) {
    const data = copyData(Array.from({ length: 100 }, () => 'x'.repeat(100_000)))
    const bytes = build({ entries: [{ id: 1, desc: 'TABLE DATA', copy: 'COPY', data }] })
    let open = true
    const source = async function* () {
      try {
        yield* split(bytes, () => 65_536)
      } finally {
        open = false
      }
    }
    let buffers = 0
    for await (const _ of encoder(compression).transform(source())) if (++buffers === 8) break
    await setImmediate()
    assert.equal(open, false)

    const failing = async function* () {
      yield* split(bytes.subarray(0, 5_000_000), () => 65_536)
      throw new Error('the pipe broke')
    }
    await assert.rejects(buffer(encoder(compression).transform(failing())), /the pipe broke/)
  }
})

test('memory does not grow with the archive', async (t) => {
  const entry = { id: 1, desc: 'TABLE DATA', copy: 'COPY', data: [] as Buffer[] }
  const whole = build({ entries: [entry] })
  const head = whole.subarray(0, -5)
  const row = Buffer.from(`${Array.from({ length: 20 }, (_, n) => n * n).join('\t')}\n`)
  const rows = Buffer.concat(Array.from({ length: 700 }, () => Buffer.concat([int(row.length), row])))
  for (const compression of METHODS) {
    const windows = compression.method === 'gzip' ? 1000 : 4000
    const source = async function* () {
      yield head
      for (let n = 0; n < windows; n++) yield rows
      yield int(0)
    }
    const stage = encoder(compression)
    const before = process.memoryUsage.rss()
    const started = performance.now()
    let growth = 0
    for await (const _ of stage.transform(source()))
      growth = Math.max(growth, process.memoryUsage.rss() - before)
    const seconds = (performance.now() - started) / 1000
    const { rawBytes } = stage.report()
    t.diagnostic(`${compression.method}: ${(rawBytes / seconds / 1e6).toFixed(0)} MB/s, ${growth >> 20} MiB`)
    assert.equal(stage.report().rows, windows * 700)
    assert.ok(growth < 200 * 2 ** 20, `grew by ${growth} bytes`)
  }
})
