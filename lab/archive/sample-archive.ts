import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { type ArchiveStage, createEncoder } from '../../src/archive/archive.ts'

/** An entry of a hand-made archive; `data` are the chunks of its block, or of one large object each. */
type SampleEntry = {
  id: number
  /** Number of the object, which data shares with its table. Default is the ID. */
  oid?: number
  desc: string
  tag?: string
  namespace?: string | null
  defn?: string | null
  copy?: string | null
  owner?: string
  tableam?: string | null
  relkind?: number
  /** Default is that of data for data, else that before data. */
  section?: number
  dependencies?: string[]
  data?: Buffer[] | { oid: number; chunks: Buffer[] }[]
}

export type Sample = { minor?: number; algorithm?: number; offsetSize?: number; entries: SampleEntry[] }

const TERMINATOR = '\\.\n\n\n'

/** Written apart from the code under test, after WriteInt, WriteStr and WriteToc of pg_backup_archiver.c. */
export function int(value: number): Buffer {
  const bytes = Buffer.alloc(5)
  bytes[0] = value < 0 ? 1 : 0
  bytes.writeInt32LE(Math.abs(value), 1)
  return bytes
}

function string(value: string | null): Buffer {
  if (value === null) return int(-1)
  return Buffer.concat([int(Buffer.byteLength(value)), Buffer.from(value)])
}

export function build({ minor = 14, algorithm = 0, offsetSize = 8, entries }: Sample): Buffer {
  const head = Buffer.concat([
    Buffer.from('PGDMP'),
    Buffer.from([1, minor, 0, 4, offsetSize, 1]),
    minor >= 15 ? Buffer.from([algorithm]) : int(algorithm),
    ...[1, 2, 3, 4, 5, 123, 0].map(int),
    ...['shop', '15.18', '15.18 (test)'].map(string),
    int(entries.length),
  ])
  const toc = entries.map((entry) => Buffer.concat([entryOf(entry, minor), Buffer.alloc(offsetSize)]))
  return Buffer.concat([head, ...toc, ...entries.map(blockOf)])
}

function entryOf(entry: SampleEntry, minor: number): Buffer {
  const { id, desc, tag = 'thing', namespace = 'public', defn = '', copy = '', owner = 'bob' } = entry
  return Buffer.concat([
    int(id),
    int(entry.data ? 1 : 0),
    ...['1259', String(16000 + (entry.oid ?? id)), tag, desc].map(string),
    int(entry.section ?? (entry.data ? 3 : 2)),
    ...[defn, `DROP ${tag}`, copy, namespace, ''].map(string),
    ...(minor >= 14 ? [string(entry.tableam ?? null)] : []),
    ...(minor >= 16 ? [int(entry.relkind ?? 0)] : []),
    ...[owner, 'false', ...(entry.dependencies ?? []), null].map(string),
    Buffer.from([entry.data ? 1 : 3]),
  ])
}

function blockOf({ id, desc, data }: SampleEntry): Buffer {
  if (data === undefined) return Buffer.alloc(0)
  const run = (chunks: Buffer[]) => [...chunks.flatMap((chunk) => [int(chunk.length), chunk]), int(0)]
  if (desc !== 'BLOBS') return Buffer.concat([Buffer.from([1]), int(id), ...run(data as Buffer[])])
  const objects = data as { oid: number; chunks: Buffer[] }[]
  const parts = objects.flatMap(({ oid, chunks }) => [int(oid), ...run(chunks)])
  return Buffer.concat([Buffer.from([3]), int(id), ...parts, int(0)])
}

/** Rows of a table as pg_dump -Z0 writes them: a chunk each, and the terminator. */
export function copyData(rows: string[]): Buffer[] {
  return [...rows.map((row) => Buffer.from(`${row}\n`)), Buffer.from(TERMINATOR)]
}

/** Two tables, INSERT statements, large objects: what a small database gives. */
export function shop(minor = 14): Sample {
  const copy = 'COPY public.t (a) FROM stdin;\n'
  return {
    minor,
    entries: [
      { id: 1, desc: 'ENCODING', tag: 'ENCODING', defn: "SET client_encoding = 'UTF8';\n", namespace: null },
      { id: 2, desc: 'DATABASE', tag: 'shop', defn: 'CREATE DATABASE shop;\n', namespace: null },
      {
        id: 3,
        desc: 'TABLE',
        tag: 'orders',
        defn: 'CREATE TABLE public.orders (…);\n',
        tableam: 'heap',
        relkind: 114,
      },
      {
        id: 4,
        desc: 'TABLE DATA',
        tag: 'orders',
        copy,
        data: copyData(['1\tone', '2\t\\\\.', '', 'x'.repeat(300)]),
      },
      { id: 5, desc: 'TABLE DATA', tag: 'Ünïts', copy, data: copyData([]) },
      {
        id: 6,
        desc: 'BLOBS',
        tag: 'BLOBS',
        namespace: null,
        data: [
          { oid: 7, chunks: [Buffer.from('seven'), Buffer.alloc(20_000, 7)] },
          { oid: 8, chunks: [] },
        ],
      },
      { id: 9, desc: 'INDEX', tag: 'orders_pkey', defn: 'CREATE INDEX …;\n', dependencies: ['3'] },
    ],
  }
}

export async function* split(bytes: Buffer, size: () => number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = at + size()
    yield bytes.subarray(at, end)
    at = end
  }
}

/** All that the stage makes of `bytes`, fed in pieces of `size`. */
export async function pass(stage: ArchiveStage, bytes: Buffer, size = 65_536): Promise<Buffer> {
  return buffer(stage.transform(split(bytes, () => size)))
}

/** The archive with the data of each short run in one chunk: where chunks end means nothing. */
export function rejoin(archive: Buffer): Promise<Buffer> {
  return pass(createEncoder({ compression: { method: 'none' }, jobs: 1 }), archive)
}

/** A hand-made archive with one chunk a run. */
export function joined(sample: Sample): Buffer {
  const join = (chunks: Buffer[]) => (chunks.length === 0 ? [] : [Buffer.concat(chunks)])
  const entries = sample.entries.map((entry) => {
    if (entry.data === undefined) return entry
    if (entry.desc !== 'BLOBS') return { ...entry, data: join(entry.data as Buffer[]) }
    const objects = entry.data as { oid: number; chunks: Buffer[] }[]
    return { ...entry, data: objects.map(({ oid, chunks }) => ({ oid, chunks: join(chunks) })) }
  })
  return build({ ...sample, entries })
}

export function assertSame(actual: Buffer, expected: Buffer): void {
  if (actual.equals(expected)) return
  const at = actual.findIndex((byte, n) => byte !== expected[n])
  const near = (bytes: Buffer) => bytes.toString('latin1', Math.max(at - 20, 0), at + 40)
  assert.equal(
    near(actual),
    near(expected),
    `${actual.length} and ${expected.length} bytes differ at byte ${at}`,
  )
  assert.fail(`${actual.length} bytes instead of ${expected.length}`)
}
