import { ArchiveError } from './archive-error.ts'
import { type TableCount, Tally, type Watch } from './archive-report.ts'
import { BlockReader } from './blocks.ts'
import { ByteSource } from './byte-source.ts'
import type { Compression } from './encode.ts'
import { type Header, NEWEST_MINOR, peekVersion, readHeader } from './header.ts'
import { isTableData } from './join-toc.ts'
import type { Lane, Lanes } from './lane.ts'
import { ordered } from './ordered.ts'
import { encodingOf, readToc, type TocEntry } from './toc.ts'

export type PartOptions = {
  compression: Compression
  /** How many pieces are compressed at the same time. */
  jobs: number
  watch?: Watch | undefined
  /** Chooses and changes the entries. */
  select?: (toc: readonly TocEntry[]) => readonly TocEntry[] | Promise<readonly TocEntry[]>
}

/** What a part writes into its lane: the data of these entries. After that of an entry in `ends`, a stretch ends. */
type Work = { ids: readonly number[]; ends: ReadonlySet<number>; headless: boolean }

/** One of the archives that are joined. Its data is compressed and waits in a lane until its turn. */
export class Part {
  readonly header: Header
  readonly entries: readonly TocEntry[]
  readonly #input: ByteSource
  readonly #tally: Tally
  readonly #lanes: Lanes
  readonly #lane: Lane
  readonly #options: PartOptions
  /** IDs of the tables whose data has a stretch of its own and has not been returned. */
  #coming: number[] = []
  #filled: Promise<void> = Promise.resolve()

  private constructor(
    input: ByteSource,
    { header, entries, tally }: { header: Header; entries: readonly TocEntry[]; tally: Tally },
    { lanes, lane }: { lanes: Lanes; lane: Lane },
    options: PartOptions,
  ) {
    this.header = header
    this.entries = entries
    this.#input = input
    this.#tally = tally
    this.#lanes = lanes
    this.#lane = lane
    this.#options = options
  }

  /** Reads the table of contents, which precedes all data. @throws ArchiveError if it is damaged, or the stream's error */
  static async open(stream: AsyncIterable<Buffer>, lanes: Lanes, options: PartOptions): Promise<Part> {
    const { watch, select } = options
    // Lanes that are not being read spill to disk, so that their program never waits.
    const lane = lanes.add(({ reading }) => !reading)
    const input = new ByteSource(stream)
    const { version, minor } = await peekVersion(input)
    if (minor > NEWEST_MINOR) throw new ArchiveError(`archive version ${version} cannot be joined`, 0)
    const header = await readHeader(input)
    const toc = await readToc(input, header)
    const encoding = encodingOf(toc)
    const tally = new Tally(true, watch && ((entry) => watch(entry, encoding)))
    const entries = select ? await select(toc) : toc
    return new Part(input, { header, entries, tally }, { lanes, lane }, options)
  }

  get progress(): Tally['progress'] {
    return this.#tally.progress
  }

  /**
   * Begins to read the data of tables before the IDs are known under which it will be written: without the heads of the
   * blocks, and with a stretch for each table.
   */
  readTables(): void {
    const ids = this.entries.filter(isTableData).map(({ dumpId }) => dumpId)
    this.#coming = [...ids]
    this.#filled = this.#fill({ ids, ends: new Set(ids), headless: true })
  }

  /** Begins to read the data of all entries, in stretches that end with these entries. */
  readAll(ends: readonly number[]): void {
    const ids = this.entries.filter(({ hasData }) => hasData).map(({ dumpId }) => dumpId)
    this.#filled = this.#fill({ ids, ends: new Set(ends), headless: false })
  }

  /** Returns the bytes of the next stretch as they arrive. */
  stretch(): AsyncGenerator<Buffer> {
    return this.#lane.stretch()
  }

  /** Returns the data of a table, and discards that of the tables before it. */
  async *dataOf(id: number): AsyncGenerator<Buffer> {
    await this.#discard(this.#coming.indexOf(id))
    this.#coming.shift()
    yield* this.#lane.stretch()
  }

  /** Waits for the end of the archive; data that is left is discarded. */
  async end(): Promise<void> {
    await this.#discard(this.#coming.length)
    await this.#filled
  }

  /** Returns what was counted of each table, by the ID of its data. */
  counts(): Map<number, TableCount> {
    const tables = this.entries.filter(isTableData)
    return new Map(tables.map(({ dumpId }, index) => [dumpId, this.#tally.tables[index]!]))
  }

  async #discard(count: number): Promise<void> {
    for (const _ of this.#coming.splice(0, count)) for await (const _ of this.#lane.stretch());
  }

  /** Never rejects: an error fails the lanes instead. */
  async #fill({ ids, ends, headless }: Work): Promise<void> {
    const { compression, jobs } = this.#options
    const options = { compression, jobs, headless }
    const reader = new BlockReader(this.#input, this.header, this.entries, this.#tally, options)
    try {
      for await (const { buffers, ended } of ordered(reader.tasks(new Set(ids)), 2 * jobs)) {
        await this.#lane.put(buffers)
        if (ended !== undefined && ends.has(ended)) this.#lane.end()
      }
    } catch (error) {
      this.#lanes.fail(error)
    } finally {
      await this.#input.close()
    }
  }
}
