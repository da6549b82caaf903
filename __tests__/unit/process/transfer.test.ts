import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  commitSink,
  Meter,
  type Sink,
  type Source,
  transfer,
  untilAborted,
} from '../../../src/process/transfer.ts'

type Fake<T> = T & { steps: string[] }

/** What happened to both sides, in order. */
function journal() {
  const steps: string[] = []
  const source = (stream: Readable, finish: () => Promise<void> = async () => undefined): Fake<Source> => ({
    stream,
    steps,
    finish: () => {
      steps.push('finish')
      return finish()
    },
    abort: async () => {
      steps.push('abort source')
      stream.destroy()
    },
  })
  const sink = (stream: Writable, died: Promise<Error> = new Promise(() => undefined)): Fake<Sink> => ({
    stream,
    steps,
    died,
    commit: async () => void steps.push('commit'),
    abort: async () => {
      steps.push('abort sink')
      await sleep(20)
      steps.push('sink aborted')
    },
  })
  return { steps, source, sink }
}

const ABORTED = ['abort sink', 'abort source', 'sink aborted']

function collect() {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  return { stream, text: () => Buffer.concat(chunks).toString() }
}

/** A sink's stream that takes nothing more, as a program that waits. */
const stuck = () => new Writable({ highWaterMark: 1, write: () => undefined })
const neverEnding = () => new Readable({ read: () => undefined })
const bytes = (...texts: string[]) => Readable.from(texts.map((text) => Buffer.from(text)))
const fails = (message: string) => () => Promise.reject(new Error(message))

function options(changes: Partial<Parameters<typeof transfer>[2]> = {}) {
  const meter = new Meter()
  const signal = new AbortController().signal
  return { meter, stages: [meter.stage], signal, idleTimeout: 60_000, moved: () => meter.bytes, ...changes }
}

test('everything arrives, is counted and hashed, and the end is held back', async () => {
  const { steps, source, sink } = journal()
  const { stream, text } = collect()
  const { meter, ...rest } = options()
  await transfer(source(bytes('some ', 'bytes')), sink(stream), rest)
  assert.equal(text(), 'some bytes')
  assert.equal(meter.bytes, 10)
  assert.equal(meter.sha256, createHash('sha256').update('some bytes').digest('hex'))
  assert.equal(meter.sha256, meter.sha256)
  assert.equal(stream.writableEnded, false)
  assert.deepEqual(steps, ['finish'])
})

test('a source that fails at its end is never committed', async () => {
  const { steps, source, sink } = journal()
  const { stream } = collect()
  const dump = source(bytes('half'), fails('pg_dump ended with exit code 1'))
  await assert.rejects(transfer(dump, sink(stream), options()), /pg_dump ended with exit code 1/)
  assert.equal(stream.writableEnded, false)
  assert.deepEqual(
    steps.filter((step) => step !== 'finish'),
    ABORTED,
  )
})

test('a stage that fails stops both sides', async () => {
  const { steps, source, sink } = journal()
  const stage = async function* (input: AsyncIterable<Buffer>) {
    for await (const chunk of input) {
      if (chunk.includes('bad')) throw new Error('no archive')
      yield chunk
    }
  }
  const work = transfer(
    source(bytes('good', 'bad', 'good')),
    sink(collect().stream),
    options({ stages: [stage] }),
  )
  await assert.rejects(work, /no archive/)
  assert.deepEqual(steps, ABORTED)
})

test('data that end too early are explained by the source', async () => {
  const { source, sink } = journal()
  const stage = async function* (input: AsyncIterable<Buffer>) {
    yield* input
    throw new Error('the archive is cut')
  }
  const dump = source(bytes('half'), fails('pg_dump was ended by SIGKILL'))
  await assert.rejects(transfer(dump, sink(collect().stream), options({ stages: [stage] })), /SIGKILL/)
  const whole = source(bytes('half'))
  await assert.rejects(
    transfer(whole, sink(collect().stream), options({ stages: [stage] })),
    /the archive is cut/,
  )
})

test('why a sink died is worth more than its broken pipe', async () => {
  const { steps, source, sink } = journal()
  const broken = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
  })
  broken.on('error', () => undefined)
  const died = sleep(50).then(() => new Error('aws s3 cp failed: access denied'))
  const work = transfer(source(Readable.from(forever())), sink(broken, died), options())
  await assert.rejects(work, /access denied/)
  assert.deepEqual(steps, ABORTED)
})

async function* forever() {
  for (;;) {
    yield Buffer.from('x')
    await sleep(1)
  }
}

test('a sink that dies while the source is silent is noticed', async () => {
  const { steps, source, sink } = journal()
  const died = sleep(20).then(() => new Error('pg_restore failed'))
  await assert.rejects(
    transfer(source(neverEnding()), sink(collect().stream, died), options()),
    /pg_restore failed/,
  )
  assert.deepEqual(steps, ABORTED)
})

test('a sink that dies while it takes nothing is noticed', async () => {
  const { steps, source, sink } = journal()
  const died = sleep(20).then(() => new Error('pg_restore failed'))
  await assert.rejects(
    transfer(source(bytes('a', 'b', 'c')), sink(stuck(), died), options()),
    /pg_restore failed/,
  )
  assert.deepEqual(steps, ABORTED)
})

test('when no byte moves for too long, the transfer is given up', async () => {
  for (const [from, to] of [
    [neverEnding(), collect().stream],
    [bytes('a', 'b', 'c'), stuck()],
  ] as const) {
    const { steps, source, sink } = journal()
    const work = transfer(source(from), sink(to), options({ idleTimeout: 200 }))
    await assert.rejects(work, /No byte moved for .* \(idle-timeout\)/)
    assert.deepEqual(steps, ABORTED)
  }
})

test('bytes that trickle keep it alive', async () => {
  const { steps, source, sink } = journal()
  const collected = collect()
  const trickle = async function* () {
    for (let count = 0; count < 8; count += 1) {
      await sleep(100)
      yield Buffer.from('x')
    }
  }
  await transfer(source(Readable.from(trickle())), sink(collected.stream), options({ idleTimeout: 600 }))
  assert.equal(collected.text(), 'x'.repeat(8))
  assert.deepEqual(steps, ['finish'])
})

test('a cancelled transfer stops the sink before the source, wherever it waits', async () => {
  for (const [from, to] of [
    [neverEnding(), collect().stream],
    [bytes('a', 'b', 'c'), stuck()],
    [Readable.from(forever()), collect().stream],
  ] as const) {
    const { steps, source, sink } = journal()
    const cancel = new AbortController()
    setTimeout(() => cancel.abort(new Error('The step was cancelled')), 30)
    await assert.rejects(
      transfer(source(from), sink(to), options({ signal: cancel.signal })),
      /step was cancelled/,
    )
    assert.deepEqual(steps, ABORTED)
  }
})

test('a transfer that is cancelled while the source finishes does not succeed', async () => {
  const { source, sink } = journal()
  const cancel = new AbortController()
  const dump = source(bytes('all'), async () => cancel.abort(new Error('The step was cancelled')))
  await assert.rejects(
    transfer(dump, sink(collect().stream), options({ signal: cancel.signal })),
    /was cancelled/,
  )
})

test('a slow sink holds the source back', async () => {
  const { source, sink } = journal()
  let produced = 0
  const produce = function* () {
    for (; produced < 1000; produced += 1) yield Buffer.alloc(1 << 16)
  }
  const cancel = new AbortController()
  const work = transfer(
    source(Readable.from(produce(), { highWaterMark: 1 })),
    sink(stuck()),
    options({ signal: cancel.signal }),
  )
  await sleep(100)
  assert.ok(produced < 10, `${produced} chunks were read`)
  cancel.abort(new Error('enough'))
  await assert.rejects(work, /enough/)
})

test('a commit that fails or comes too late is aborted', async () => {
  const { steps, sink } = journal()
  const plain = sink(collect().stream)
  await commitSink(plain, new AbortController().signal)
  assert.deepEqual(steps.splice(0), ['commit'])
  await assert.rejects(commitSink(plain, AbortSignal.abort(new Error('cancelled'))), /cancelled/)
  assert.deepEqual(steps.splice(0), ['abort sink', 'sink aborted'])
  const refused = { ...plain, commit: fails('access denied') }
  await assert.rejects(commitSink(refused, new AbortController().signal), /access denied/)
  assert.deepEqual(steps, ['abort sink', 'sink aborted'])
})

test('work that cannot be cancelled is given up with the signal, and its late result is passed on', async () => {
  const cancel = new AbortController()
  const { promise, resolve } = Promise.withResolvers<string>()
  const late: string[] = []
  const waiting = untilAborted(promise, cancel.signal, (result) => late.push(result))
  cancel.abort(new Error('cancelled'))
  await assert.rejects(waiting, /cancelled/)
  resolve('opened')
  await promise
  await Promise.resolve()
  assert.deepEqual(late, ['opened'])
  const open = new AbortController().signal
  assert.equal(await untilAborted(Promise.resolve(1), open), 1)
  await assert.rejects(untilAborted(Promise.reject(new Error('refused')), open), /refused/)
})
