import { ArchiveError } from './archive-error.ts'
import { type ArchiveProgress, type ArchiveReport, reportOf, Tally, type Watch } from './archive-report.ts'
import { BlockReader } from './blocks.ts'
import { ByteSource } from './byte-source.ts'
import type { Compression } from './encode.ts'
import { type Header, headerBytes, NEWEST_MINOR, peekVersion, readHeader } from './header.ts'
import { type JoinedToc, joinTocs } from './join-toc.ts'
import { type Lane, Lanes } from './lane.ts'
import { ordered } from './ordered.ts'
import { readToc, type TocEntry, tocParts } from './toc.ts'
import { type Select, writtenHeader } from './transcode.ts'

export type JoinOptions = {
  compression: Compression
  jobs: number
  /** Estimates the bytes of a table's data by the OID of the table. */
  bytesOf: (oid: string) => number
  /** OIDs of the tables whose data is in the other archives. */
  shared: ReadonlySet<string>
  /** The extension of each of these tables that belongs to one. */
  extensions?: ReadonlyMap<string, string>
  /** Whether data is stored in the order of its tables' names, as `pg_dump` does. */
  byName?: boolean
  /** Refuses the table of contents of the first archive, as it arrives, by an error. */
  check?: (entries: readonly TocEntry[]) => void
  watch?: Watch
  /** Chooses and changes the entries of the first archive, which holds everything but the data of some tables. */
  select?: Select
  /** Buffers data that arrives before its turn, when memory is full. */
  folder: string
  /** Bytes that may be buffered there; by default the free space minus a reserve. */
  maxBuffered?: number
}

/** One of the archives that are joined. */
type Part = { input: ByteSource; header: Header; entries: readonly TocEntry[]; tally: Tally; lane: Lane }

/** Consecutive entries of the joined archive whose data is in one part: their IDs there, each with the new ID. */
type Stretch = { part: number; ids: [number, number][] }

function stretchesOf(order: JoinedToc['order']): Stretch[] {
  const stretches: Stretch[] = []
  for (const { entry, origin } of order) {
    if (stretches.at(-1)?.part !== origin.part) stretches.push({ part: origin.part, ids: [] })
    stretches.at(-1)!.ids.push([origin.id, entry.dumpId])
  }
  return stretches
}

/** Joins the archives of several dumps of one snapshot into one archive while they arrive. */
export class JoinedArchive {
  readonly #parts: readonly Part[]
  readonly #lanes: Lanes
  readonly #options: JoinOptions
  readonly #toc: JoinedToc
  /** The part whose data is being written. */
  #current = 0
  #report: ArchiveReport | null = null

  private constructor(parts: readonly Part[], lanes: Lanes, options: JoinOptions) {
    this.#parts = parts
    this.#lanes = lanes
    this.#options = options
    this.#toc = joinTocs(
      parts.map((part) => part.entries),
      options,
    )
  }

  /**
   * Reads the tables of contents, which precede all data.
   *
   * @throws ArchiveError if they do not belong together, or the error of a stream
   */
  static async open(streams: readonly AsyncIterable<Buffer>[], options: JoinOptions): Promise<JoinedArchive> {
    const lanes = await Lanes.open(options.folder, options.maxBuffered)
    const parts = await Promise.all(
      streams.map(async (stream, index) => {
        const input = new ByteSource(stream)
        const { version, minor } = await peekVersion(input)
        if (minor > NEWEST_MINOR) throw new ArchiveError(`archive version ${version} cannot be joined`, 0)
        const header = await readHeader(input)
        // Lanes that are not being read spill to disk, so that their pg_dump never waits.
        const lane = lanes.add(({ reading }) => !reading)
        const toc = await readToc(input, header)
        if (index === 0) options.check?.(toc)
        const entries = index === 0 && options.select ? await options.select(toc) : toc
        return { input, header, entries, tally: new Tally(true, options.watch), lane }
      }),
    )
    return new JoinedArchive(parts, lanes, options)
  }

  get progress(): ArchiveProgress {
    const all = this.#parts.map(({ tally }) => tally.progress)
    const sum = (field: 'rows' | 'rawBytes') => all.reduce((total, progress) => total + progress[field], 0)
    return { ...all[this.#current]!, rows: sum('rows'), rawBytes: sum('rawBytes') }
  }

  /** @throws an Error when the archive was not written to its end */
  get report(): ArchiveReport {
    if (this.#report === null) throw new Error('the archive was not read to its end')
    return this.#report
  }

  /** Stops the work. */
  stop(): void {
    this.#lanes.fail(new Error('the dump was stopped'))
  }

  /** The joined archive. */
  async *output(): AsyncGenerator<Buffer> {
    const { compression } = this.#options
    const read = this.#parts[0]!.header
    const header = writtenHeader(read, { compression, maxMinor: NEWEST_MINOR })
    const { entries, order } = this.#toc
    const stretches = stretchesOf(order)
    const fills = this.#parts.map((part, index) =>
      this.#fill(
        part,
        stretches.filter((stretch) => stretch.part === index),
      ),
    )
    try {
      yield headerBytes(header)
      yield* tocParts(header, entries)
      for (const { part } of stretches) {
        this.#current = part
        yield* this.#parts[part]!.lane.stretch()
      }
      await Promise.all(fills)
      this.#report = reportOf(read, entries, this.#counted())
    } finally {
      await this.#lanes.close()
      await Promise.allSettled(fills)
    }
  }

  /** Reads one part to its end into its lane. Never rejects; an error fails the lanes instead. */
  async #fill({ input, header, entries, tally, lane }: Part, stretches: readonly Stretch[]): Promise<void> {
    const { compression, jobs } = this.#options
    const share = Math.max(1, Math.ceil(jobs / this.#parts.length))
    const ids = new Map(stretches.flatMap((stretch) => stretch.ids))
    const ends = new Set(stretches.map((stretch) => stretch.ids.at(-1)![1]))
    const reader = new BlockReader(input, header, entries, tally, { compression, jobs: share })
    try {
      for await (const { buffers, ended } of ordered(reader.tasks(ids), 2 * share)) {
        await lane.put(buffers)
        if (ended !== undefined && ends.has(ended)) lane.end()
      }
    } catch (error) {
      this.#lanes.fail(error)
    } finally {
      await input.close()
    }
  }

  /** Merges the counts of all parts, with the tables in the order of the archive. */
  #counted(): Pick<ArchiveReport, 'tables' | 'rows' | 'rawBytes'> {
    const tallies = this.#parts.map(({ tally }) => tally)
    const rows = tallies.map((tally) => tally.rows)
    const counts = tallies.map(({ tables }) => tables.values())
    const tables = this.#toc.order.filter(({ entry }) => entry.desc === 'TABLE DATA')
    return {
      tables: tables.map(({ origin }) => counts[origin.part]!.next().value!),
      rows: rows.includes(null) ? null : rows.reduce<number>((sum, count) => sum + count!, 0),
      rawBytes: this.progress.rawBytes,
    }
  }
}
