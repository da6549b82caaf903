import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inflateSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { assertSame, build, int, pass, rejoin } from '../../../lab/archive/sample-archive.ts'
import { ArchiveError, type Compression, createDecoder } from '../../../src/archive/archive.ts'
import { encoderOf } from '../../../src/archive/encode.ts'
import { wholeFrameSize } from '../../../src/archive/zstd.ts'

/** The chunks of a run, lengths checked. */
async function encode(compression: Compression, pieces: Buffer[]): Promise<Buffer[]> {
  const run = encoderOf(compression).open()
  const buffers = [...(await Promise.all(pieces.map((piece) => run.piece(piece)))).flat(), ...run.end()]
  let bytes = Buffer.concat(buffers)
  const chunks: Buffer[] = []
  for (let length = bytes.readInt32LE(1); length > 0; length = bytes.readInt32LE(1)) {
    chunks.push(bytes.subarray(5, 5 + length))
    bytes = bytes.subarray(5 + length)
  }
  assertSame(bytes, int(0))
  return chunks
}

const pieces = fc.array(
  fc.uint8Array({ minLength: 1, maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
  { maxLength: 5 },
)

test('the chunks of a gzip run are one zlib stream', async () => {
  await fc.assert(
    fc.asyncProperty(pieces, fc.integer({ min: 1, max: 9 }), async (raw, level) => {
      const stream = Buffer.concat(await encode({ method: 'gzip', level }, raw))
      const { buffer, engine } = inflateSync(stream, { info: true }) as unknown as {
        buffer: Buffer
        engine: { bytesWritten: number }
      }
      assertSame(buffer, Buffer.concat(raw))
      assert.equal(engine.bytesWritten, stream.length)
    }),
  )
})

test('each chunk of a zstd run is one frame that says its size', async () => {
  await fc.assert(
    fc.asyncProperty(pieces, async (raw) => {
      const chunks = await encode({ method: 'zstd', level: 1 }, raw)
      assert.deepEqual(
        chunks.map(wholeFrameSize),
        raw.map((piece) => piece.length),
      )
      assertSame(Buffer.concat(chunks.map((chunk) => zstdDecompressSync(chunk))), Buffer.concat(raw))
    }),
  )
})

test('a frame is recognised whole, and only whole', () => {
  for (const size of [0, 1, 255, 256, 65_791, 65_792, 300_000]) {
    const frame = zstdCompressSync(Buffer.alloc(size, 'abc'))
    assert.equal(wholeFrameSize(frame), size)
    for (let cut = 0; cut < frame.length; cut++) assert.equal(wholeFrameSize(frame.subarray(0, cut)), null)
    assert.equal(wholeFrameSize(Buffer.concat([frame, frame])), null)
  }
})

const decodeZstd = (chunks: Buffer[]) =>
  pass(
    createDecoder({ jobs: 2 }),
    build({ minor: 15, algorithm: 3, entries: [{ id: 1, desc: 'TABLE DATA', copy: 'COPY', data: chunks }] }),
  )

test('a zstd stream cut into chunks anywhere is read as pg_dump meant it', async () => {
  const raw = Buffer.from(Array.from({ length: 5000 }, (_, n) => `${n}\t${n * n}\n`).join(''))
  const frame = zstdCompressSync(raw)
  for (const at of [1, 4, 9, 1000, frame.length - 1]) {
    const out = await rejoin(await decodeZstd([frame.subarray(0, at), frame.subarray(at)]))
    assert.ok(out.includes(raw))
  }
})

test('a frame without content does not end the run', async () => {
  const frames = ['', 'a\n', '', 'b\n', ''].map((text) => zstdCompressSync(Buffer.from(text)))
  const out = await rejoin(await decodeZstd(frames))
  assert.ok(out.subarray(-14).equals(Buffer.concat([int(4), Buffer.from('a\nb\n'), int(0)])))
})

test('damaged compressed data are refused with the name of the table', async () => {
  const frame = zstdCompressSync(Buffer.from('hello'))
  const stream = Buffer.concat([frame, Buffer.from('more')])
  for (const chunks of [
    [frame.subarray(0, -1)],
    [stream],
    [frame, Buffer.from('x')],
    [Buffer.from('no zstd')],
  ]) {
    await assert.rejects(decodeZstd(chunks), (error: Error) => {
      assert.ok(error instanceof ArchiveError)
      assert.match(error.message, /table public\.thing .*at byte \d+/)
      return true
    })
  }
})
