import { ArchiveError } from './archive-error.ts'
import type { Tally } from './archive-report.ts'
import { type ByteSource, intBytes } from './byte-source.ts'
import { ChunkReader } from './chunks.ts'
import { decodeRun, decodeShort } from './decode.ts'
import { type Compression, type Encoder, encoderOf } from './encode.ts'
import type { Header } from './header.ts'
import type { Task } from './ordered.ts'
import type { TocEntry } from './toc.ts'

// Block types of pg_backup_archiver.h: the data of a table, and large objects, each preceded by its OID.
const BLK_DATA = 1
const BLK_BLOBS = 3

/**
 * Buffers to write. They begin the data of the entry with the ID `begun`, and end that of `ended`. `piece`
 * is their data before compression, which only data that is not compressed in a thread has.
 */
export type Output = { buffers: Buffer[]; begun?: number; ended?: number; piece?: Buffer }

/** Returns the bytes before the data of an entry: the type of the block, by default that of a table, and the ID. */
export function blockHead(id: number, type = BLK_DATA): Buffer[] {
  return [Buffer.from([type]), intBytes(id)]
}

/** How data is written: compressed in this way, or as it is stored in the archive that is read. */
export type Writing = Compression | 'stored'

/** Whether data is copied as it is stored. Node cannot read lz4. */
export function isCopied({ algorithm }: Header, compression: Writing): boolean {
  return compression === 'stored' || algorithm === 'lz4'
}

/** How to read the data of an entry, which is left out if it is not wanted. */
type Block = { type: number; wanted: boolean; mayBeShort: boolean }

/** Reads the blocks of data that follow the table of contents. */
export class BlockReader {
  private readonly input: ByteSource
  private readonly header: Header
  private readonly chunks: ChunkReader
  private readonly entries: number
  private readonly missing: Map<number, TocEntry>
  private readonly tally: Tally
  private readonly jobs: number
  private readonly headless: boolean
  /** Null if data is copied as it is stored. */
  private readonly encoder: Encoder | null

  /** @param options.headless leaves out what precedes the data in a block, for a writer that does not know the IDs yet */
  constructor(
    input: ByteSource,
    header: Header,
    entries: readonly TocEntry[],
    tally: Tally,
    { compression, jobs, headless = false }: { compression: Writing; jobs: number; headless?: boolean },
  ) {
    this.input = input
    this.header = header
    this.chunks = new ChunkReader(input)
    this.entries = entries.length
    this.missing = new Map(entries.filter((entry) => entry.hasData).map((entry) => [entry.dumpId, entry]))
    this.tally = tally
    this.jobs = jobs
    this.headless = headless
    this.encoder = isCopied(header, compression) ? null : encoderOf(compression as Compression)
  }

  /**
   * Returns what to write for all blocks.
   *
   * @param kept IDs of entries; blocks of others are read and left out
   * @param inPieces IDs of entries that are never returned at once, but as a beginning, pieces and an end
   */
  async *tasks(
    kept: ReadonlySet<number>,
    inPieces: ReadonlySet<number> = new Set(),
  ): AsyncGenerator<Task<Output>> {
    while (await this.input.fill(1)) {
      if (this.missing.size === 0) {
        await this.tocCopy()
        break
      }
      const { type, entry } = await this.blockHeader()
      this.missing.delete(entry.dumpId)
      const mayBeShort = type === BLK_DATA && !inPieces.has(entry.dumpId)
      yield* this.block(entry, { type, wanted: kept.has(entry.dumpId), mayBeShort })
    }
    this.checkComplete()
  }

  private async *block(entry: TocEntry, { type, wanted, mayBeShort }: Block): AsyncGenerator<Task<Output>> {
    const id = entry.dumpId
    if (wanted) this.tally.begin(entry, this.encoder !== null)
    const head = wanted && !this.headless ? blockHead(id, type) : []
    const short = mayBeShort ? this.shortRun(wanted) : null
    if (short) {
      if (wanted) yield { result: { buffers: [...head, ...short], begun: id, ended: id } }
    } else {
      if (wanted) yield { result: { buffers: head, begun: id } }
      yield* type === BLK_BLOBS ? this.largeObjects(entry, wanted) : this.run(entry, wanted, '')
      if (wanted) yield { result: { buffers: [], ended: id } }
    }
    if (wanted) this.tally.end(entry)
  }

  /**
   * When pg_dump 16 and later writes to a redirected file, it tries to go back and complete the table of contents. The
   * file is in append mode (_allocAH in pg_backup_archiver.c), so a second one follows the data. It is left out.
   */
  private async tocCopy(): Promise<void> {
    const at = this.input.offset
    if ((await this.input.int('what follows the data')) !== this.entries) {
      throw new ArchiveError('there are bytes after the data of the last entry', at)
    }
    for await (const _ of this.input.rest());
  }

  private async blockHeader(): Promise<{ type: number; entry: TocEntry }> {
    const at = this.input.offset
    const type = await this.input.byte('a block header')
    if (type !== BLK_DATA && type !== BLK_BLOBS)
      throw new ArchiveError(`a data block has the unknown type ${type}`, at)
    const id = await this.input.int('a block header')
    const entry = this.missing.get(id)
    if (entry === undefined)
      throw new ArchiveError(
        `there is a data block for the ID ${id}, which has no entry or had its data already`,
        at,
      )
    if ((entry.desc === 'BLOBS') !== (type === BLK_BLOBS)) {
      throw new ArchiveError(`the data block of ${nameOf(entry)} has the wrong type ${type}`, at)
    }
    return { type, entry }
  }

  private async *largeObjects(entry: TocEntry, wanted: boolean): AsyncGenerator<Task<Output>> {
    for (;;) {
      const oid = await this.input.int(`the large objects of ${nameOf(entry)}`)
      const head = wanted ? [intBytes(oid)] : []
      const short = oid === 0 ? [] : this.shortRun(wanted)
      if (wanted) yield { result: { buffers: [...head, ...(short ?? [])] } }
      if (oid === 0) return
      if (short === null) yield* this.run(entry, wanted, `large object ${oid >>> 0} in `)
    }
  }

  /** Reads the next run and returns what to write for it, if it is short and at once in memory; else null. */
  private shortRun(wanted: boolean): Buffer[] | null {
    const { chunks, encoder } = this
    const { algorithm } = this.header
    if (encoder === null || !wanted) {
      const stored = chunks.shortStored()
      if (stored && wanted) this.tally.add(stored)
      return stored && [stored]
    }
    const raw = chunks.short((payload) => decodeShort(payload, algorithm))
    if (raw === null) return null
    this.tally.add(raw)
    return encoder.whole(raw)
  }

  private async *run(entry: TocEntry, wanted: boolean, part: string): AsyncGenerator<Task<Output>> {
    const what = `the data of ${part}${nameOf(entry)}`
    if (this.encoder === null || !wanted) {
      for await (const stored of this.chunks.stored(what)) {
        if (!wanted) continue
        this.tally.add(stored)
        yield { result: { buffers: [stored] } }
      }
      return
    }
    const run = this.encoder.open()
    const { input, chunks } = this
    const source = { input, chunks, algorithm: this.header.algorithm, jobs: 2 * this.jobs }
    for await (const piece of decodeRun(source, what)) {
      if (piece.length === 0) continue // an empty frame; an empty chunk would end the run
      this.tally.add(piece)
      const buffers = run.piece(piece)
      yield { result: buffers instanceof Promise ? this.whenDone(buffers, piece) : { buffers, piece } }
    }
    yield { result: { buffers: run.end() } }
  }

  private async whenDone(working: Promise<Buffer[]>, piece: Buffer): Promise<Output> {
    const buffers = await working
    this.chunks.release(piece)
    return { buffers }
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
