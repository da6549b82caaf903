import { ArchiveError } from './archive-error.ts'
import { type ByteSource, intBytes } from './byte-source.ts'
import { type Decode, decoderOf, decodeUtf8 } from './encoding.ts'
import { Gatherer } from './gatherer.ts'
import type { Header } from './header.ts'
import { Slabs } from './slabs.ts'
import {
  DATA_OFFSET_UNKNOWN,
  type FieldOf,
  type Layout,
  layoutOf,
  NO_DATA,
  readStored,
  StoredEntry,
  type TocFields,
} from './stored-entry.ts'

/** The sections of a dump, in their order (teSection in pg_backup.h). */
export const SECTION = { none: 1, preData: 2, data: 3, postData: 4 } as const

/** A longer table of contents is taken for corruption: enough for over a million entries. All of it is kept in memory. */
const MAX_TOC_BYTES = 2 ** 30

/** Kinds of entries. PostgreSQL has about eighty, and each of a million entries would have a string of its own. */
const KINDS = new Map<string, string>()

function sharedKind(kind: string): string {
  const known = KINDS.get(kind)
  if (known === undefined) KINDS.set(kind, kind)
  return known ?? kind
}

/**
 * One object of the dump: its kind (`desc`), names and SQL, as text. There may be a million entries, so most fields stay as
 * they are stored: an object for each would take ten times the memory.
 */
export class TocEntry extends StoredEntry {
  /** Decodes the strings of the archive. */
  readonly decode: Decode
  readonly dumpId: number
  /** One of SECTION. */
  readonly section: number
  /** Kind of object: `TABLE`, `TABLE DATA`, `BLOBS`, `COMMENT`, … */
  readonly desc: string
  /** Whether a block of data belongs to this entry. */
  readonly hasData: boolean

  constructor(stored: StoredEntry, decode: Decode) {
    super(stored.layout, stored.slice)
    this.decode = decode
    this.dumpId = stored.int('dumpId')
    this.section = stored.int('section')
    this.desc = sharedKind(decode(stored.string('desc')))
    this.hasData = stored.int('hadDumper') === 1 && stored.dataState !== NO_DATA
  }

  /** Makes an entry of the newest version. */
  static of(fields: TocFields, decode: Decode = decodeUtf8): TocEntry {
    return new TocEntry(StoredEntry.of(fields), decode)
  }

  /** Returns the entry with some fields changed. */
  with(changes: Partial<TocFields>): TocEntry {
    return TocEntry.of({ ...this.fields, ...changes }, this.decode)
  }

  /** The entry in another layout, up to its data state. */
  bytes(layout: Layout): Buffer[] {
    const state = this.hasData ? DATA_OFFSET_UNKNOWN : NO_DATA
    return [this.in(layout).withoutState, Buffer.from([state])]
  }

  /** Returns the entry with other text for the same bytes. */
  decodedBy(decode: Decode): TocEntry {
    return new TocEntry(this, decode)
  }

  #text(field: FieldOf<'string'>): string {
    return this.decode(this.string(field))
  }
  /** OID of the object in the database that was dumped; the data of a table has the OID of the table. */
  get oid(): string {
    return this.#text('oid')
  }
  /** Name of the object. */
  get tag(): string {
    return this.#text('tag')
  }
  /** Schema of the object, or `''`. */
  get namespace(): string {
    return this.#text('namespace')
  }
  /** Kind and name, such as `EVENT TRIGGER log_ddl` or `TABLE DATA cron.job`. */
  get label(): string {
    return `${this.desc} ${this.namespace ? `${this.namespace}.` : ''}${this.tag}`
  }
  get owner(): string {
    return this.#text('owner')
  }
  /** Tablespace of the object, or `''` for the default one. */
  get tablespace(): string {
    return this.#text('tablespace')
  }
  /** The SQL that creates the object. */
  get definition(): string {
    return this.#text('defn')
  }
  /** IDs of the entries on which this one depends. Some may be missing, because pg_dump also lists objects that it did not dump. */
  get dependencies(): number[] {
    return this.dependencyIds.map((id) => Number(decodeUtf8(id)))
  }
  /** Returns the entry with changed SQL. `change` gets the bytes as latin1, so that text in any encoding survives a replacement. */
  redefine(change: (definition: string) => string): TocEntry {
    const defn = Buffer.from(change(this.string('defn')?.toString('latin1') ?? ''), 'latin1')
    return this.with({ defn })
  }
  /** The COPY statement of the data; empty if it is not COPY text. */
  get copyStatement(): string {
    return this.#text('copyStmt')
  }
  /** Whether the data is COPY text; otherwise it is INSERT statements or a large object. */
  get isCopy(): boolean {
    return (this.string('copyStmt')?.length ?? 0) > 0
  }
}

/**
 * Reads the table of contents, which follows the header.
 *
 * @throws ArchiveError if it is truncated or malformed
 */
export async function readToc(input: ByteSource, header: Header): Promise<TocEntry[]> {
  const start = input.offset
  const count = await input.int('the table of contents')
  if (count < 0) throw new ArchiveError(`the table of contents has ${count} entries`, start)
  const layout = layoutOf(header.minor)
  const entries: TocEntry[] = []
  const seen = new Set<number>()
  const slabs = new Slabs()
  for (let n = 1; n <= count; n++) {
    const at = input.offset
    const what = `entry ${n} of ${count} in the table of contents`
    const stored = await readStored(input, { layout, what })
    await input.need(header.offsetSize, what)
    input.skip(header.offsetSize)
    const problem = stored.problem
    if (problem) throw new ArchiveError(`${what} ${problem}`, at)
    if (input.offset - start > MAX_TOC_BYTES)
      throw new ArchiveError('the table of contents has an impossible length', at)
    const entry = new TocEntry(stored.keptIn(slabs), decodeUtf8)
    if (seen.has(entry.dumpId)) throw new ArchiveError(`entry ${n} repeats the ID ${entry.dumpId}`, at)
    seen.add(entry.dumpId)
    entries.push(entry)
  }
  const decode = decoderOf(encodingOf(entries))
  return decode === decodeUtf8
    ? entries
    : entries.map((entry) => (entry.decode === decodeUtf8 ? entry.decodedBy(decode) : entry))
}

/**
 * Reads past a table of contents that this process has written with `tocParts`.
 *
 * @throws ArchiveError if it is another one
 */
export async function skipToc(
  input: ByteSource,
  header: Header,
  written: readonly TocEntry[],
): Promise<void> {
  for (const part of tocParts(header, written)) {
    const at = input.offset
    const read = await input.take(part.length, 'the table of contents')
    if (!read.equals(part))
      throw new ArchiveError('the table of contents is not the one that was written', at)
  }
}

/** Returns the encoding of all text, e.g. `UTF8`, according to the archive's own `SET client_encoding`. */
export function encodingOf(entries: readonly TocEntry[]): string | null {
  const setting = entries.find(({ desc }) => desc === 'ENCODING')?.definition
  return setting?.match(/'([^']*)'/)?.[1] ?? null
}

/**
 * Returns a table of contents in the version of `header`, in several buffers. Data offsets are left unknown: they belonged to
 * the file that was read, and pg_restore searches for data whose offset is unknown.
 */
export function* tocParts(header: Header, entries: readonly TocEntry[]): Generator<Buffer> {
  const gatherer = new Gatherer()
  yield* gatherer.add([intBytes(entries.length)])
  const layout = layoutOf(header.minor)
  const offset = Buffer.alloc(header.offsetSize)
  for (const entry of entries) yield* gatherer.add([...entry.bytes(layout), offset])
  yield* gatherer.rest()
}
