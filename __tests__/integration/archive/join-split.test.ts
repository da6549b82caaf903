/** Several dumps that become one archive, and one archive that becomes several: with the real programs at both ends. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createWriteStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { build, copyData, type Sample, split } from '../../../lab/archive/sample-archive.ts'
import { clients, METHODS, skip, useHostileServer } from '../../../lab/benches/archive-bench.ts'
import { type Client, convert, restore } from '../../../lab/postgres/clients.ts'
import {
  type Compression,
  createDecoder,
  JoinedArchive,
  newestReadable,
  SplitArchive,
} from '../../../src/archive/archive.ts'

/** The tables whose data each further dump has. */
const SHARES = [
  ['narrow', '"Mixed Case"."Weird ""Table"""', 'part_1'],
  ['wide', 'one', 'empty'],
]

const { env, fingerprint, folder, freshDatabase } = useHostileServer()

function start({ bin }: Client, args: string[]) {
  const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit']
  return spawn(join(bin, 'pg_dump'), ['-Fc', '-Z0', ...args], { env: env('hostile'), stdio }).stdout
}

function dumps(client: Client) {
  const without = SHARES.flat().map((table) => `--exclude-table-data=${table}`)
  const parts = SHARES.map((tables) => ['--section=data', ...tables.map((table) => `--table=${table}`)])
  return [without, ...parts].map((args) => start(client, args))
}

const options = (compression: Compression, maxBuffered?: number) => ({
  compression,
  jobs: 2,
  bytesOf: () => 1000,
  shared: new Set<string>(),
  folder,
  ...(maxBuffered === undefined ? {} : { maxBuffered }),
})

for (const client of clients) {
  // restore.test.ts covers every method; joining is the same for all that compress.
  for (const compression of METHODS.filter(({ method }) => method !== 'gzip')) {
    test(`three dumps of pg_dump ${client.major} are one with ${compression.method}`, { skip }, async () => {
      const path = join(folder, `joined-${client.major}-${compression.method}`)
      const archive = await JoinedArchive.open(dumps(client), options(compression))
      await pipeline(archive.output(), createWriteStream(path))
      const whole = await fingerprint('hostile')

      const plain = `${path}-plain`
      const decoder = createDecoder({ maxVersion: newestReadable(client.major), jobs: 2 })
      await convert(path, decoder, plain)
      assert.deepEqual(decoder.report().tables, archive.report.tables, 'in the order of the archive')
      assert.equal(decoder.report().rows, archive.report.rows)
      assert.equal(decoder.report().rawBytes, archive.report.rawBytes)
      const counted = new Map(archive.report.tables.map(({ name, rows }) => [name, String(rows)]))
      for (const name of ['narrow', 'wide', 'part_2']) {
        assert.equal(counted.get(name), whole.find((row) => row.name === `public.${name}`)!.rows)
      }

      const database = await freshDatabase()
      if (compression.method === 'none') await restore(client, env(database), ['-d', database], plain)
      else await restore(client, env(database), ['-d', database, '-j', '2', plain])
      assert.deepEqual(await fingerprint(database), whole)
    })
  }

  test(`what pg_dump ${client.major} wrote is split among readers, and large tables are divided`, {
    skip,
  }, async () => {
    const whole = await fingerprint('hostile')
    const sizes: Record<string, number> = { narrow: 40e6, wide: 30e6, 'Weird "Table"': 20e6 }
    const bytesOf = ({ name }: { name: string }) => sizes[name] ?? 1e6
    const archive = await SplitArchive.open(start(client, []), folder)
    const own = archive.share({ jobs: 3, bytesOf, dividesTables: true })
    const inAll = own[0]!.filter((entry) => own.every((entries) => entries.includes(entry)))
    assert.deepEqual(inAll.map(({ tag }) => tag).sort(), ['narrow', 'wide'])
    const divided = archive.divide(own)
    assert.equal(divided.length, 3)
    assert.ok(divided.every(({ entries }) => entries > 0))
    const [schema, last, ...shares] = ['schema', 'last', '0', '1', '2'].map((name) =>
      join(folder, `split-${client.major}-${name}`),
    )
    writeFileSync(schema!, Buffer.concat([...archive.schema]))
    writeFileSync(last!, Buffer.concat([...archive.last!]))
    const read = divided.map((share, index) => pipeline(share.stream(), createWriteStream(shares[index]!)))
    await Promise.all([archive.distribute(), ...read])
    await archive.close(new Error('done'))

    const database = await freshDatabase()
    const into = (...args: string[]) => restore(client, env(database), ['-d', database, ...args])
    await into('--section=pre-data', schema!)
    for (const share of shares) await restore(client, env(database), ['-d', database], share)
    await into('--section=post-data', '-j', '2', schema!)
    await into('--section=post-data', last!)
    assert.deepEqual(await fingerprint(database), whole)
  })
}

test('without disk space, dumps wait for their turn', { skip }, async () => {
  const archive = await JoinedArchive.open(dumps(clients.at(-1)!), options({ method: 'none' }, 0))
  const whole = await buffer(archive.output())
  assert.ok(whole.length > archive.report.rawBytes)
})

const TABLE = 'TABLE DATA'
const orders = (id: number): Sample['entries'][number] => ({ id, desc: 'TABLE', tag: 'orders' })
/** In the samples an entry's OID follows from its ID, so that data have to have the ID of their table. */
const data = (id: number, tag: string) => ({ id, desc: TABLE, tag, copy: 'COPY', data: copyData(['1', '2']) })
const open = (samples: Sample[]) =>
  JoinedArchive.open(
    samples.map((sample) => split(build(sample), () => 100)),
    options({ method: 'none' }),
  )

test('data of a table that the first dump does not have are left out', async () => {
  const archive = await open([
    { entries: [orders(3)] },
    { entries: [data(3, 'orders'), data(4, 'filtered')] },
  ])
  await buffer(archive.output())
  assert.deepEqual(
    archive.report.tables.map(({ name, rows }) => [name, rows]),
    [['orders', 2]],
  )
  assert.equal(archive.report.rows, 2)
  assert.equal(archive.report.rawBytes, archive.report.tables[0]!.bytes)
  const [, joined] = archive.report.entries
  assert.equal(joined!.dumpId, 4, 'an ID of its own')
  assert.deepEqual(joined!.dependencies, [3], 'and its table in the first dump')
})

test('data is read while the first table of contents is awaited', async () => {
  const [first, other] = [{ entries: [orders(3)] }, { entries: [data(3, 'orders')] }].map((sample) =>
    split(build(sample), () => 100),
  )
  const read = Promise.withResolvers<void>()
  async function* afterTheOther() {
    await read.promise
    yield* first!
  }
  async function* noted() {
    yield* other!
    read.resolve()
  }
  const archive = await JoinedArchive.open([afterTheOther(), noted()], options({ method: 'zstd' }))
  await buffer(archive.output())
  assert.equal(archive.report.rows, 2)
})

test('an error of data that was read too early to be written ends the joined archive', async () => {
  async function* broken() {
    yield* split(build({ entries: [data(3, 'orders')] }), () => 100)
    throw new Error('the reader failed')
  }
  const first = split(build({ entries: [orders(3)] }), () => 100)
  const archive = await JoinedArchive.open([first, broken()], options({ method: 'none' }))
  await assert.rejects(buffer(archive.output()), /the reader failed/)
})

test('an ID that is only named is not given to other data', async () => {
  const view = { id: 9, desc: 'VIEW', tag: 'v', dependencies: ['77'] }
  const archive = await open([{ entries: [orders(3), view] }, { entries: [data(3, 'orders')] }])
  await buffer(archive.output())
  assert.deepEqual(
    archive.report.entries.map(({ dumpId }) => dumpId).sort((a, b) => a - b),
    [3, 9, 78],
  )
})

/** As pg_dump 17 writes large objects: what they are stands in the section of data, before their content. */
const largeObjects: Sample['entries'] = [
  { id: 20, desc: 'BLOB METADATA', tag: '50001..50002', section: 3, defn: '50001\n50002\n' },
  { id: 21, desc: 'COMMENT', tag: 'LARGE OBJECT 50001', section: 1, dependencies: ['20'] },
  { id: 22, desc: 'BLOBS', dependencies: ['20'], data: [{ oid: 50001, chunks: [Buffer.from('x')] }] },
  { id: 23, desc: 'SEQUENCE SET', tag: 'orders_id_seq', section: 3 },
]

/** The data of a table, after the table. */
const withTable = <Entry extends { id: number }>(entry: Entry) => [
  { ...orders(entry.id + 100), oid: entry.id },
  entry,
]

test('what data need stays before them', async () => {
  const main = { minor: 16, entries: [orders(3), data(5, 'items'), ...largeObjects] }
  const archive = await open([main, { minor: 16, entries: [data(3, 'orders')] }])
  await buffer(archive.output())
  const order = archive.report.entries.map(({ desc, tag }) => (desc === TABLE ? tag : desc))
  const others = order.filter((name) => name !== 'orders')
  assert.deepEqual(others, ['TABLE', 'items', 'BLOB METADATA', 'COMMENT', 'BLOBS', 'SEQUENCE SET'])
  assert.ok(order.indexOf('orders') > 0)
})

test('what the section of data has beside data is restored before any reader begins', async () => {
  const bytes = build({ minor: 16, entries: [orders(3), data(5, 'items'), ...largeObjects] })
  const archive = await SplitArchive.open(
    split(bytes, () => 40),
    folder,
  )
  const sections = new Map<string, number>()
  const again = await SplitArchive.open(
    split(Buffer.concat([...archive.schema]), () => 1000),
    folder,
  )
  for (const { desc, section } of again.entries) sections.set(desc, section)
  assert.deepEqual(Object.fromEntries(sections), {
    ...{ TABLE: 2, 'BLOB METADATA': 2, COMMENT: 2, 'SEQUENCE SET': 2 },
  })
})

test('two dumps with the data of one table are refused', async () => {
  const same = { entries: [data(3, 'orders')] }
  await assert.rejects(open([{ entries: [orders(3)] }, same, same]), /two dumps contain the data of orders/)
})

test('data that no dump has are noticed before the first byte', async () => {
  const streams = [{ entries: [orders(3)] }, { entries: [data(4, 'items')] }].map((sample) =>
    split(build(sample), () => 100),
  )
  const shared = new Set(['16003', '16004'])
  await assert.rejects(
    JoinedArchive.open(streams, { ...options({ method: 'none' }), shared }),
    /no dump contains the data of TABLE public.orders/,
  )
})

test('a dump that is cut fails the whole, whichever it is', async () => {
  const samples: Sample[] = [{ entries: [orders(3), data(5, 'items')] }, { entries: [data(3, 'orders')] }]
  const whole = samples.map(build)
  for (const [index, bytes] of whole.entries()) {
    for (const cut of [1, 5, 20]) {
      const streams = whole.map((other, n) => split(n === index ? bytes.subarray(0, -cut) : other, () => 50))
      const archive = await JoinedArchive.open(streams, options({ method: 'gzip' }))
      await assert.rejects(buffer(archive.output()), /the archive ends/)
      assert.throws(() => archive.report, /not read to its end/)
    }
  }
})

test('data that other data needs, and data of tables that an extension brings, stays in one session', async () => {
  const entries = [
    ...['a', 'b', 'c', 'd'].flatMap((tag, index) => withTable(data(index + 3, tag))),
    data(11, 'of an extension'),
    data(12, 'of an extension too'),
  ]
  const needing = entries.map((entry) => (entry.tag === 'd' ? { ...entry, dependencies: ['4'] } : entry))
  const archive = await SplitArchive.open(
    split(build({ entries: needing }), () => 1000),
    folder,
  )
  const sharesOf = (dividesTables: boolean) =>
    archive
      .share({ jobs: 4, bytesOf: () => 64e6, dividesTables })
      .map((share) => share.map(({ tag }) => tag))
      .sort((a, b) => b.length - a.length)
  const together = ['b', 'd', 'of an extension', 'of an extension too']
  assert.deepEqual(sharesOf(false), [together, ['a'], ['c'], []])
  assert.deepEqual(sharesOf(true), [
    ['a', ...together.slice(0, 1), 'c', ...together.slice(1)],
    ...Array(3).fill(['a', 'c']),
  ])
})

test('an archive that is cut ends all of its readers', async () => {
  const entries = ['a', 'b', 'c'].flatMap((tag, index) => withTable(data(index + 3, tag)))
  const bytes = build({ entries })
  const stream = split(bytes.subarray(0, -3), () => 40)
  const archive = await SplitArchive.open(stream, folder)
  const shares = archive.divide(archive.share({ jobs: 2, bytesOf: () => 64e6 }))
  const outcomes = await Promise.allSettled([
    archive.distribute(),
    ...shares.map((share) => buffer(share.stream())),
  ])
  assert.match(
    String((outcomes[0] as PromiseRejectedResult).reason),
    /the archive ends inside the data of table public.c/,
  )
  assert.ok(outcomes.slice(1).some(({ status }) => status === 'rejected'))
})

test('readers that are slow wait, and use the disk only for the sake of another', async () => {
  const large = Array.from({ length: 30 }, () => Buffer.alloc(1024 * 1024, 'x'))
  const entry = (id: number, tag: string) => ({ ...data(id, tag), data: [...large, ...copyData([])] })
  const bytes = build({ entries: [entry(3, 'first'), entry(4, 'second')].flatMap(withTable) })
  const archive = await SplitArchive.open(
    split(bytes, () => 65_536),
    folder,
  )
  const [first, second] = archive.divide(archive.share({ jobs: 2, bytesOf: () => 30e6 }))
  const slow = first!.stream()
  await slow.next()
  const distributed = archive.distribute()
  // The second one gets all of its data before the first has read anything.
  assert.ok((await buffer(second!.stream())).length > 30e6)
  await distributed
  assert.ok((await buffer(slow)).length > 30e6)
  await archive.close(new Error('done'))
})
