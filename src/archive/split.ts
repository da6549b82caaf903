import { shareEvenly } from '../process/balance.ts'
import { Tally } from './archive-report.ts'
import { BlockReader, type Output } from './blocks.ts'
import { ByteSource } from './byte-source.ts'
import { DividedRows } from './divided-rows.ts'
import { type Header, headerBytes, readHeader } from './header.ts'
import { type Lane, Lanes } from './lane.ts'
import { readToc, SECTION, skipToc, type TocEntry, tocParts } from './toc.ts'

/** Entries that say how to read the others. Every archive needs them. */
const SETTINGS = ['ENCODING', 'STDSTRINGS', 'SEARCHPATH']

export type SplitOptions = {
  /** Maximum number of archives. */
  jobs: number
  /** Estimates the bytes of a table's data. */
  bytesOf: (table: { schema: string; name: string }) => number
  /** Whether the rows of a large table may go into several archives, which are restored at the same time. */
  dividesTables?: boolean
}

/** A smaller share would be restored before another reader has started. */
const MIN_SHARE_BYTES = 8 * 1024 * 1024

/** An archive that contains only the data of some tables. */
export type DataArchive = { stream: () => AsyncGenerator<Buffer>; entries: number }

/** Splits an uncompressed archive into several while it arrives, so that parallel readers share its data. */
export class SplitArchive {
  readonly #input: ByteSource
  readonly #header: Header
  /** The table of contents, with the schema before the data. */
  readonly entries: readonly TocEntry[]
  readonly #lanes: Lanes
  /** The lanes that receive the data of each entry: several if its rows are divided. */
  readonly #lanesOf = new Map<number, Lane[]>()
  /** How many entries of each lane have not arrived. */
  readonly #left = new Map<Lane, number>()

  private constructor(input: ByteSource, header: Header, entries: readonly TocEntry[], lanes: Lanes) {
    this.#input = input
    this.#header = header
    this.entries = schemaFirst(entries)
    this.#lanes = lanes
  }

  /**
   * Reads the table of contents.
   *
   * @param folder buffers data that arrives before its turn, when memory is full
   * @param written returns the entries of the archive, once it has begun, if this process has written it
   * @throws ArchiveError
   */
  static async open(
    stream: AsyncIterable<Buffer>,
    folder: string,
    written: () => readonly TocEntry[] = () => [],
  ): Promise<SplitArchive> {
    const input = new ByteSource(stream)
    const header = await readHeader(input)
    const known = written()
    if (known.length > 0) await skipToc(input, header, known)
    const entries = known.length > 0 ? known : await readToc(input, header)
    return new SplitArchive(input, header, entries, await Lanes.open(folder))
  }

  /**
   * The archive without its data and without what comes last, for `pg_restore --section=pre-data` and `post-data`. With the
   * entries of the data, several jobs would sort the whole list of work again for each of them (pop_next_work_item in
   * pg_backup_archiver.c), which takes minutes with many tables.
   */
  get schema(): Iterable<Buffer> {
    return this.#archiveOf(this.entries.filter((entry) => !entry.hasData && !isLast(entry)))
  }

  /** How many entries of the schema follow the data. */
  get afterData(): number {
    return this.entries.filter((entry) => entry.section === SECTION.postData && !isLast(entry)).length
  }

  /** The archive of what pg_restore does last, for `pg_restore --section=post-data`; null if there is nothing. */
  get last(): Iterable<Buffer> | null {
    const last = this.entries.filter(isLast)
    return last.length === 0 ? null : this.#archiveOf([...this.#settings, ...last])
  }

  /** Shares the data evenly. @returns the entries of each share, in the order of the archive; a divided table is in all */
  share(options: SplitOptions): TocEntry[][] {
    const { dividesTables = false } = options
    // Data that is compressed with lz4 arrives as it is, so its rows cannot be seen.
    const readable = this.#header.algorithm === 'none'
    return shareData(this.entries, { ...options, dividesTables: dividesTables && readable })
  }

  /** Makes an archive of each share. Together, the shares have all the data. */
  divide(shares: readonly (readonly TocEntry[])[]): DataArchive[] {
    return shares.map((own) => this.#dataArchive(own))
  }

  /** Distributes the data to the readers of the shares, until all of it has been read. */
  async distribute(): Promise<void> {
    const tally = new Tally(false)
    const reader = new BlockReader(this.#input, this.#header, this.entries, tally, {
      // Rows can be divided only if they can be seen.
      compression: this.#header.algorithm === 'none' ? { method: 'none' } : 'stored',
      jobs: 1,
    })
    const divided = [...this.#lanesOf].filter(([, lanes]) => lanes.length > 1).map(([id]) => id)
    let lanes: readonly Lane[] = []
    let receive: Receiver | undefined
    try {
      for await (const { result } of reader.tasks(new Set(this.#lanesOf.keys()), new Set(divided))) {
        const output = await result
        if (output.begun !== undefined) {
          lanes = this.#lanesOf.get(output.begun)!
          receive = receiverOf(lanes)
        }
        await receive!(output)
        if (output.ended !== undefined) for (const lane of lanes) this.#complete(lane)
      }
    } catch (error) {
      this.#lanes.fail(error)
      throw error
    } finally {
      await this.#input.close()
    }
  }

  /** Ends everything that still waits, with this reason. */
  async close(reason: unknown): Promise<void> {
    this.#lanes.fail(reason)
    await this.#lanes.close()
  }

  /** Notes that an entry of a lane is complete; the last one ends the lane. */
  #complete(lane: Lane): void {
    const left = this.#left.get(lane)! - 1
    this.#left.set(lane, left)
    if (left === 0) lane.end()
  }

  *#archiveOf(entries: readonly TocEntry[]): Generator<Buffer> {
    yield headerBytes(this.#header)
    yield* tocParts(this.#header, entries)
  }

  #dataArchive(own: readonly TocEntry[]): DataArchive {
    // The archive waits for a slow reader, unless another reader is waiting for its own data.
    const lane = this.#lanes.add(() => this.#lanes.all.some((other) => other !== lane && other.readerWaits))
    for (const { dumpId } of own) this.#lanesOf.set(dumpId, [...(this.#lanesOf.get(dumpId) ?? []), lane])
    this.#left.set(lane, own.length)
    if (own.length === 0) lane.end()
    const head = this.#archiveOf([...this.#settings, ...own])
    return { entries: own.length, stream: () => stream(lane, head) }
  }

  get #settings(): TocEntry[] {
    return this.entries.filter(({ desc }) => SETTINGS.includes(desc))
  }
}

async function* stream(lane: Lane, head: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* head
  yield* lane.stretch()
}

type Receiver = (output: Output) => Promise<void>

/** Returns how the data of one entry reaches its lanes. */
function receiverOf(lanes: readonly Lane[]): Receiver {
  if (lanes.length === 1) return ({ buffers }) => lanes[0]!.put(buffers)
  const rows = new DividedRows(lanes)
  return async ({ buffers, begun, piece, ended }) => {
    if (begun !== undefined) await rows.begin(buffers)
    else if (piece) await rows.add(piece)
    else if (ended !== undefined) await rows.end()
  }
}

/** Grants, which pg_restore restores after the data (_tocEntryIsACL in pg_backup_archiver.c). */
const GRANTS = /^(ACL|ACL LANGUAGE|DEFAULT ACL)$/

/**
 * Moves the entries of the data section that have no data into the schema: the values of sequences, and the metadata of
 * large objects (in the data section from PostgreSQL 17 on, `dumpLO` in pg_dump.c). Moves grants behind the data, because an
 * owner may have revoked the rights that loading it takes.
 *
 * An entry without a section belongs to that of the previous entry (_tocEntryRequired in pg_backup_archiver.c).
 */
function schemaFirst(entries: readonly TocEntry[]): TocEntry[] {
  let section: number = SECTION.none
  return entries.map((entry) => {
    const { desc, hasData } = entry
    if (entry.section !== SECTION.none) section = entry.section
    const own = GRANTS.test(desc)
      ? SECTION.postData
      : section === SECTION.data && !hasData
        ? SECTION.preData
        : section
    return own === entry.section ? entry : entry.with({ section: own })
  })
}

/**
 * Whether pg_restore restores an entry after everything else: refreshes, which may call any function, and what could be in
 * the way of others (RESTORE_PASS_POST_ACL in _tocEntryRestorePass, pg_backup_archiver.c).
 */
function isLast({ desc, tag, section }: TocEntry): boolean {
  if (/^(COMMENT|SECURITY LABEL)$/.test(desc)) return tag.startsWith('EVENT TRIGGER ')
  if (desc === 'STATISTICS DATA') return section === SECTION.postData
  return desc === 'MATERIALIZED VIEW DATA' || desc === 'EVENT TRIGGER'
}

/**
 * Shares the entries with data evenly, each share in the order of the archive. A table of more than a quarter of an even
 * share is divided; smaller ones balance well, and keep the order of their rows.
 */
function shareData(
  entries: readonly TocEntry[],
  { jobs, bytesOf, dividesTables }: SplitOptions,
): TocEntry[][] {
  const data = entries.filter(({ hasData }) => hasData)
  const sizeOf = (items: readonly TocEntry[]) => items.reduce((sum, item) => sum + bytesOf(nameOf(item)), 0)
  const total = sizeOf(data)
  const count = Math.max(1, Math.min(jobs, Math.ceil(total / MIN_SHARE_BYTES)))
  const { together, single } = inseparable(entries, data)
  const least = Math.max(count * MIN_SHARE_BYTES, total / count / 4)
  const divided = new Set(
    dividesTables && count > 1 ? single.filter((entry) => entry.isCopy && sizeOf([entry]) >= least) : [],
  )
  const whole = single.filter((entry) => !divided.has(entry)).map((entry) => [entry])
  const groups = together.length === 0 ? whole : [together, ...whole]
  return shareEvenly(groups, sizeOf, count).map(({ items }) => {
    const own = new Set(items.flat())
    return data.filter((entry) => own.has(entry) || divided.has(entry))
  })
}

/**
 * Groups entries that must be restored in one session: those of which one needs the other, and tables that the archive does
 * not create, because those of extensions have their foreign keys and triggers before their data.
 */
function inseparable(
  entries: readonly TocEntry[],
  data: readonly TocEntry[],
): { together: TocEntry[]; single: TocEntry[] } {
  const created = new Set(entries.filter(({ desc }) => desc === 'TABLE').map(({ oid }) => oid))
  const ids = new Set(data.map(({ dumpId }) => dumpId))
  const bound = data.filter(
    ({ desc, oid, dependencies }) =>
      (desc === 'TABLE DATA' && !created.has(oid)) || dependencies.some((id) => ids.has(id)),
  )
  const needed = new Set(bound.flatMap(({ dumpId, dependencies }) => [dumpId, ...dependencies]))
  return {
    together: data.filter(({ dumpId }) => needed.has(dumpId)),
    single: data.filter(({ dumpId }) => !needed.has(dumpId)),
  }
}

function nameOf({ namespace, tag }: TocEntry): { schema: string; name: string } {
  return { schema: namespace, name: tag }
}
