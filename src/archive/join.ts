import { type ArchiveProgress, type ArchiveReport, reportOf, type Watch } from './archive-report.ts'
import { blockHead } from './blocks.ts'
import type { Compression } from './encode.ts'
import { headerBytes, NEWEST_MINOR } from './header.ts'
import { type JoinedToc, joinTocs } from './join-toc.ts'
import { Lanes } from './lane.ts'
import { Part } from './part.ts'
import { type TocEntry, tocParts } from './toc.ts'
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
   * Reads the tables of contents, which precede all data. That of the first archive may take long, because `pg_dump` reads the
   * whole catalog for it. The data of the others is read meanwhile.
   *
   * @throws ArchiveError if they do not belong together, or the error of a stream
   */
  static async open(streams: readonly AsyncIterable<Buffer>[], options: JoinOptions): Promise<JoinedArchive> {
    const { compression, watch, check, select = (toc) => toc } = options
    const lanes = await Lanes.open(options.folder, options.maxBuffered)
    const partOptions = { compression, watch, jobs: Math.max(1, Math.ceil(options.jobs / streams.length)) }
    const ofFirst = {
      ...partOptions,
      select: (toc: readonly TocEntry[]) => {
        check?.(toc)
        return select(toc)
      },
    }
    try {
      const parts = await Promise.all(
        streams.map(async (stream, index) => {
          if (index === 0) return await Part.open(stream, lanes, ofFirst)
          const part = await Part.open(stream, lanes, partOptions)
          part.readTables()
          return part
        }),
      )
      return new JoinedArchive(parts, lanes, options)
    } catch (error) {
      await lanes.close()
      throw error
    }
  }

  get progress(): ArchiveProgress {
    const all = this.#parts.map(({ progress }) => progress)
    const sum = (field: 'rows' | 'rawBytes') => all.reduce((total, progress) => total + progress[field], 0)
    return { ...all[this.#current]!, rows: sum('rows'), rawBytes: sum('rawBytes') }
  }

  /** @throws an Error when the archive was not written to its end */
  get report(): ArchiveReport {
    if (this.#report === null) throw new Error('the archive was not read to its end')
    return this.#report
  }

  /** Stops the work. */
  async stop(): Promise<void> {
    this.#lanes.fail(new Error('the dump was stopped'))
    await this.#lanes.close()
  }

  /** The joined archive. */
  async *output(): AsyncGenerator<Buffer> {
    const { compression } = this.#options
    const [main] = this.#parts as [Part, ...Part[]]
    const header = writtenHeader(main.header, { compression, maxMinor: NEWEST_MINOR })
    const { entries, order } = this.#toc
    const stretches = stretchesOf(order)
    main.readAll(stretches.flatMap(({ part, ids }) => (part === 0 ? ids.at(-1)![0] : [])))
    try {
      yield headerBytes(header)
      yield* tocParts(header, entries)
      for (const { part, ids } of stretches) {
        this.#current = part
        if (part === 0) yield* main.stretch()
        else yield* dataOf(this.#parts[part]!, ids)
      }
      await Promise.all(this.#parts.map((part) => part.end()))
      this.#lanes.check()
      this.#report = reportOf(main.header, entries, this.#counted())
    } finally {
      // The other programs may have gone silent, so nothing waits for them: the caller ends them.
      await this.#lanes.close()
    }
  }

  /** Counts the data in the joined archive. */
  #counted(): Pick<ArchiveReport, 'tables' | 'rows' | 'rawBytes'> {
    const counts = this.#parts.map((part) => part.counts())
    const data = this.#toc.order.filter(({ entry }) => entry.desc === 'TABLE DATA')
    const tables = data.map(({ origin }) => counts[origin.part]!.get(origin.id)!)
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)
    const rows = tables.map((table) => table.rows)
    const ofOthers = tables.filter((_, index) => data[index]!.origin.part > 0)
    return {
      tables,
      rows: rows.includes(null) ? null : sum(rows as number[]),
      rawBytes: this.#parts[0]!.progress.rawBytes + sum(ofOthers.map(({ bytes }) => bytes)),
    }
  }
}

async function* dataOf(part: Part, ids: Stretch['ids']): AsyncGenerator<Buffer> {
  for (const [origin, id] of ids) {
    yield Buffer.concat(blockHead(id))
    yield* part.dataOf(origin)
  }
}
