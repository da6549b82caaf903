import { shareEvenly } from '../process/balance.ts'
import { Tally } from './archive-report.ts'
import { BlockReader } from './blocks.ts'
import { ByteSource } from './byte-source.ts'
import { type Header, headerBytes, readHeader } from './header.ts'
import { type Lane, Lanes } from './lane.ts'
import { readToc, SECTION, TocEntry, tocBytes } from './toc.ts'

const UNCOMPRESSED = { compression: { method: 'none' }, jobs: 1 } as const

/** Entries that say how the others are to be read; every reader needs them. */
const SETTINGS = ['ENCODING', 'STDSTRINGS', 'SEARCHPATH']

export type SplitOptions = {
  /** At most so many archives. */
  ways: number
  /** About how many bytes of data a table has. */
  bytesOf: (table: { schema: string; name: string }) => number
  /** For data that have to wait for their turn, when memory is full. */
  folder: string
}

/** Less than this is restored before a further reader has begun. */
const WORTH_A_WAY = 8 * 1024 * 1024

/** An archive of some tables' data alone, as it comes. */
export type Way = { stream: () => AsyncGenerator<Buffer>; entries: number }

/** An uncompressed archive that becomes several while it flows: its data shared among readers that work side by side. */
export class SplitArchive {
  readonly #input: ByteSource
  readonly #header: Header
  /** The table of contents, with the schema before all data. */
  readonly entries: readonly TocEntry[]
  readonly #lanes: Lanes
  readonly ways: readonly Way[]
  readonly #laneOf = new Map<number, Lane>()

  private constructor(
    input: ByteSource,
    header: Header,
    entries: readonly TocEntry[],
    lanes: Lanes,
    options: SplitOptions,
  ) {
    this.#input = input
    this.#header = header
    this.entries = schemaFirst(entries)
    this.#lanes = lanes
    this.ways = share(entries, options).map((own) => this.#way(own))
  }

  /** Reads the table of contents. @throws ArchiveError */
  static async open(stream: AsyncIterable<Buffer>, options: SplitOptions): Promise<SplitArchive> {
    const input = new ByteSource(stream)
    const header = await readHeader(input)
    const entries = await readToc(input, header)
    return new SplitArchive(input, header, entries, await Lanes.open(options.folder), options)
  }

  /** The archive without its data, for `pg_restore --section=pre-data` and `post-data`. */
  get schema(): Buffer {
    return this.#archiveOf(this.entries)
  }

  /** Shares all data out, as their readers take them. */
  async distribute(): Promise<void> {
    const ids = new Map(this.entries.map(({ dumpId }) => [dumpId, dumpId]))
    const reader = new BlockReader(this.#input, this.#header, this.entries, new Tally(false), UNCOMPRESSED)
    let lane: Lane | undefined
    try {
      for await (const { result } of reader.tasks(ids)) {
        const { buffers, block, last } = await result
        if (block !== undefined) lane = this.#laneOf.get(block)
        await lane!.put(buffers)
        if (last) lane!.end()
      }
    } catch (error) {
      this.#lanes.fail(error)
      throw error
    } finally {
      await this.#input.close()
    }
  }

  /** Ends all that still waits, for that reason. */
  async close(reason: unknown): Promise<void> {
    this.#lanes.fail(reason)
    await this.#lanes.close()
  }

  #archiveOf(entries: readonly TocEntry[]): Buffer {
    return Buffer.concat([headerBytes(this.#header), tocBytes(this.#header, entries)])
  }

  #way(own: readonly TocEntry[]): Way {
    // Whose reader is slower than the data come waits, unless that keeps another reader from its own.
    const lane = this.#lanes.add(() => this.#lanes.all.some((other) => other !== lane && other.hungry))
    for (const { dumpId } of own) this.#laneOf.set(dumpId, lane)
    const settings = this.entries.filter(({ desc }) => SETTINGS.includes(desc))
    const head = this.#archiveOf([...settings, ...own])
    return { entries: own.length, stream: () => stream(lane, head, own.length) }
  }
}

async function* stream(lane: Lane, head: Buffer, entries: number): AsyncGenerator<Buffer> {
  yield head
  for (let entry = 0; entry < entries; entry++) yield* lane.entry()
}

/**
 * Entries of no section are of that of the entry before them (_tocEntryRequired in pg_backup_archiver.c).
 *
 * What the section of data has beside data becomes part of the schema: the values of sequences, which need no data, and
 * what large objects are before they have any (from PostgreSQL 17 on, `dumpLO` in pg_dump.c).
 */
function schemaFirst(entries: readonly TocEntry[]): TocEntry[] {
  let section: number = SECTION.none
  return entries.map((entry) => {
    const { fields, hasData } = entry
    if (fields.section !== SECTION.none) section = fields.section
    if (section !== SECTION.data || hasData) return entry
    return new TocEntry({ ...fields, section: SECTION.preData })
  })
}

/** The entries with data in shares of about the same size, each in the order of the archive. */
function share(entries: readonly TocEntry[], { ways, bytesOf }: SplitOptions): TocEntry[][] {
  const data = entries.filter(({ hasData }) => hasData)
  const sizes = new Map(data.map((entry) => [entry, bytesOf(nameOf(entry))]))
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  const count = Math.max(1, Math.min(ways, Math.ceil(total / WORTH_A_WAY)))
  return shareEvenly(data, (entry) => sizes.get(entry)!, count).map(({ items }) => {
    const own = new Set(items)
    return data.filter((entry) => own.has(entry))
  })
}

function nameOf({ namespace, tag }: TocEntry): { schema: string; name: string } {
  return { schema: namespace, name: tag }
}
