import { ChunkReader } from './chunks.ts'
import { decodeRun } from './decode.ts'
import { algorithmOf, type Compression, type RunEncoder, runEncoders } from './encode.ts'
import { ArchiveError } from './error.ts'
import { ALGORITHM_BYTE, type Header, headerBytes, NEWEST_MINOR, peekVersion, readHeader } from './header.ts'
import { lowerToc } from './lower.ts'
import { ordered, type Task } from './ordered.ts'
import { type ArchiveReport, opaqueReport, reportOf, Tally } from './report.ts'
import { ByteSource, intBytes } from './source.ts'
import { readToc, type TocEntry, tocBytes } from './toc.ts'

// Block types of pg_backup_archiver.h: a table's data, and large objects with an OID before each.
const BLK_DATA = 1
const BLK_BLOBS = 3

/** The reader to come has no limit that we know of. */
export const ANY_MINOR = Number.POSITIVE_INFINITY

/** `maxMinor` is the newest version 1.x that may be written; entries that `keep` refuses are left out with their data. */
export type TranscodeOptions = {
  compression: Compression
  jobs: number
  maxMinor: number
  keep: (entry: TocEntry) => boolean
}

/** Buffers to write; with `block`, they begin the data of the entry of that ID. */
type Output = { buffers: Buffer[]; block?: number }

/** Reads one archive and writes it again: compressed otherwise, filtered, for an older reader; and counts it. */
export class Transcoder {
  readonly tally = new Tally()
  private readonly options: TranscodeOptions
  private finished: ArchiveReport | null = null

  constructor(options: TranscodeOptions) {
    this.options = options
  }

  get report(): ArchiveReport {
    if (this.finished === null) throw new Error('the archive was not read to its end')
    return this.finished
  }

  async *transform(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const input = new ByteSource(source)
    try {
      const { version, minor } = await peekVersion(input)
      if (minor <= NEWEST_MINOR) yield* this.archive(input)
      else if (minor <= this.options.maxMinor) yield* this.opaque(input, version)
      else throw new ArchiveError(`archive version ${version} is newer than 1.${this.options.maxMinor}`, 0)
    } finally {
      await input.close()
    }
  }

  private async *opaque(input: ByteSource, version: string): AsyncGenerator<Buffer> {
    for await (const buffer of input.rest()) {
      this.tally.progress.rawBytes += buffer.length
      yield buffer
    }
    this.finished = opaqueReport(version, input.offset)
  }

  private async *archive(input: ByteSource): AsyncGenerator<Buffer> {
    const read = await readHeader(input)
    const entries = await readToc(input, read)
    const header = writtenHeader(read, this.options)
    const kept = lowerToc(entries.filter(this.options.keep), read, header)
    const head = headerBytes(header)
    const toc = tocBytes(header, kept)
    yield head
    yield toc.bytes

    let written = head.length + toc.bytes.length
    const blocks = new Map<number, number>()
    const tasks = new BlockReader(input, read, entries, this.tally, this.options).tasks(
      new Set(kept.map((entry) => entry.dumpId)),
    )
    for await (const { buffers, block } of ordered(tasks, 2 * this.options.jobs)) {
      if (block !== undefined) blocks.set(block, written)
      for (const buffer of buffers) written += buffer.length
      yield* buffers
    }
    const slots = new Map([...toc.slots].map(([id, at]) => [id, at + head.length]))
    this.finished = reportOf(read, kept, this.tally, { offsetSize: header.offsetSize, slots, blocks })
  }
}

/** The header to write. Data compressed with lz4 stay so: Node cannot read them. */
function writtenHeader(read: Header, { compression, maxMinor }: TranscodeOptions): Header {
  const lz4 = read.algorithm === 'lz4'
  const { algorithm, since } = lz4
    ? { algorithm: read.algorithm, since: ALGORITHM_BYTE }
    : algorithmOf(compression)
  const minor = Math.min(Math.max(read.minor, since), maxMinor)
  if (minor < since) {
    throw new ArchiveError(
      `the archive is compressed with ${algorithm}, which readers of 1.${maxMinor} do not know`,
      0,
    )
  }
  return { ...read, minor, algorithm }
}

/** Reads the blocks of data that follow the table of contents. */
class BlockReader {
  private readonly input: ByteSource
  private readonly header: Header
  private readonly chunks: ChunkReader
  private readonly entries: number
  private readonly missing: Map<number, TocEntry>
  private readonly tally: Tally
  private readonly jobs: number
  private readonly newRun: () => RunEncoder

  constructor(
    input: ByteSource,
    header: Header,
    entries: readonly TocEntry[],
    tally: Tally,
    { compression, jobs }: TranscodeOptions,
  ) {
    this.input = input
    this.header = header
    this.chunks = new ChunkReader(input)
    this.entries = entries.length
    this.missing = new Map(entries.filter((entry) => entry.hasData).map((entry) => [entry.dumpId, entry]))
    this.tally = tally
    this.jobs = jobs
    this.newRun = runEncoders(header.algorithm === 'lz4' ? { method: 'none' } : compression)
  }

  /** What to write for all blocks; those of entries not in `kept` are read and left out. */
  async *tasks(kept: ReadonlySet<number>): AsyncGenerator<Task<Output>> {
    while (await this.input.fill(1)) {
      if (this.missing.size === 0) {
        await this.tocCopy()
        break
      }
      const { type, entry } = await this.blockHeader()
      this.missing.delete(entry.dumpId)
      const wanted = kept.has(entry.dumpId)
      const body = type === BLK_BLOBS ? this.largeObjects(entry, wanted) : this.run(entry, wanted, '')
      if (!wanted) {
        for await (const _ of body);
        continue
      }
      yield { result: { buffers: [Buffer.from([type]), intBytes(entry.dumpId)], block: entry.dumpId } }
      this.tally.begin(entry, this.header.algorithm !== 'lz4')
      yield* body
      this.tally.end(entry)
    }
    this.checkComplete()
  }

  /**
   * pg_dump 16 and later, writing to a redirected file, means to go back and fill in the table of contents, but has
   * set the file to append by then (_allocAH in pg_backup_archiver.c): a second one follows the data. It is left out.
   */
  private async tocCopy(): Promise<void> {
    const at = this.input.offset
    if ((await this.input.int('what follows the data')) !== this.entries) {
      throw new ArchiveError('something follows the data of the last entry', at)
    }
    for await (const _ of this.input.rest());
  }

  private async blockHeader(): Promise<{ type: number; entry: TocEntry }> {
    const at = this.input.offset
    const type = await this.input.byte('a block header')
    if (type !== BLK_DATA && type !== BLK_BLOBS)
      throw new ArchiveError(`unknown type ${type} of a data block`, at)
    const id = await this.input.int('a block header')
    const entry = this.missing.get(id)
    if (entry === undefined) throw new ArchiveError(`a data block for ID ${id}, which no entry awaits`, at)
    if ((entry.desc === 'BLOBS') !== (type === BLK_BLOBS)) {
      throw new ArchiveError(`a data block of type ${type} for ${nameOf(entry)}`, at)
    }
    return { type, entry }
  }

  private async *largeObjects(entry: TocEntry, wanted: boolean): AsyncGenerator<Task<Output>> {
    for (;;) {
      const oid = await this.input.int(`the large objects of ${nameOf(entry)}`)
      if (wanted) yield { result: { buffers: [intBytes(oid)] } }
      if (oid === 0) return
      yield* this.run(entry, wanted, `large object ${oid >>> 0} in `)
    }
  }

  private async *run(entry: TocEntry, wanted: boolean, part: string): AsyncGenerator<Task<Output>> {
    const what = `the data of ${part}${nameOf(entry)}`
    if (!wanted) {
      for await (const _ of this.chunks.run(what));
      return
    }
    const run = this.newRun()
    const { input, chunks } = this
    const source = { input, chunks, algorithm: this.header.algorithm, jobs: 2 * this.jobs }
    for await (const piece of decodeRun(source, what)) {
      if (piece.length === 0) continue // an empty frame; an empty chunk would end the run
      this.tally.add(piece)
      const buffers = run.piece(piece)
      yield {
        result: buffers instanceof Promise ? buffers.then((ready) => ({ buffers: ready })) : { buffers },
      }
    }
    yield { result: { buffers: run.end() } }
  }

  private checkComplete(): void {
    if (this.missing.size === 0) return
    const names = [...this.missing.values()].map(nameOf)
    const more = names.length > 10 ? ` and ${names.length - 10} more` : ''
    throw new ArchiveError(
      `the archive ends without the data of ${names.slice(0, 10).join(', ')}${more}`,
      this.input.offset,
    )
  }
}

function nameOf({ desc, namespace, tag }: TocEntry): string {
  return desc === 'TABLE DATA' ? `table ${namespace}.${tag}` : `${desc} ${tag}`
}
