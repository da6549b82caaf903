import { ArchiveError } from './archive-error.ts'
import { type ByteSource, type Bytes, intBytes, stringBytes } from './byte-source.ts'
import { type Decode, decoderOf, decodeUtf8 } from './encoding.ts'
import type { Header } from './header.ts'

export const DATA_OFFSET_UNKNOWN = 1 // K_OFFSET_POS_NOT_SET in pg_backup_archiver.h
export const NO_DATA = 3 // K_OFFSET_NO_DATA

/** The sections of a dump, in their order (teSection in pg_backup.h). */
export const SECTION = { none: 1, preData: 2, data: 3, postData: 4 } as const

/** A longer table of contents is taken for corruption: enough for over a million entries. All of it is kept in memory. */
const MAX_TOC_BYTES = 2 ** 30

/** The fields of an entry in their order (WriteToc in pg_backup_archiver.c), each with the minor version that introduced it. */
const FIELDS = [
  ['dumpId', 'int', 0],
  ['hadDumper', 'int', 0],
  ['tableOid', 'string', 0],
  ['oid', 'string', 0],
  ['tag', 'string', 0],
  ['desc', 'string', 0],
  ['section', 'int', 0],
  ['defn', 'string', 0],
  ['dropStmt', 'string', 0],
  ['copyStmt', 'string', 0],
  ['namespace', 'string', 0],
  ['tablespace', 'string', 0],
  ['tableam', 'string', 14],
  ['relkind', 'int', 16],
  ['owner', 'string', 0],
  ['withOids', 'string', 0],
] as const

type FieldOf<Kind> = Extract<(typeof FIELDS)[number], readonly [string, Kind, number]>[0]

/** An entry as stored, strings in the encoding of the database. `dataState` is one of the K_OFFSET constants. */
export type TocFields = Record<FieldOf<'int'>, number> &
  Record<FieldOf<'string'>, Bytes> & { dependencies: Buffer[]; dataState: number }

/** One object of the dump: its kind (`desc`), names and SQL, as text. */
export class TocEntry {
  readonly fields: Readonly<TocFields>
  /** Decodes the strings of the archive. */
  readonly decode: Decode

  constructor(fields: TocFields, decode: Decode = decodeUtf8) {
    this.fields = fields
    this.decode = decode
  }

  /** Returns the entry with some fields changed. */
  with(changes: Partial<TocFields>): TocEntry {
    return new TocEntry({ ...this.fields, ...changes }, this.decode)
  }

  get dumpId(): number {
    return this.fields.dumpId
  }
  /** OID of the object in the database that was dumped; the data of a table has the OID of the table. */
  get oid(): string {
    return this.decode(this.fields.oid)
  }
  /** Kind of object: `TABLE`, `TABLE DATA`, `BLOBS`, `COMMENT`, … */
  get desc(): string {
    return this.decode(this.fields.desc)
  }
  /** Name of the object. */
  get tag(): string {
    return this.decode(this.fields.tag)
  }
  /** Schema of the object, or `''`. */
  get namespace(): string {
    return this.decode(this.fields.namespace)
  }
  /** Kind and name, such as `EVENT TRIGGER log_ddl` or `TABLE DATA cron.job`. */
  get label(): string {
    return `${this.desc} ${this.namespace ? `${this.namespace}.` : ''}${this.tag}`
  }
  get owner(): string {
    return this.decode(this.fields.owner)
  }
  /** Tablespace of the object, or `''` for the default one. */
  get tablespace(): string {
    return this.decode(this.fields.tablespace)
  }
  /** The SQL that creates the object. */
  get definition(): string {
    return this.decode(this.fields.defn)
  }
  /** IDs of the entries on which this one depends. Some may be missing, because pg_dump also lists objects that it did not dump. */
  get dependencies(): number[] {
    return this.fields.dependencies.map((id) => Number(decodeUtf8(id)))
  }
  /** Returns the entry with changed SQL. `change` gets the bytes as latin1, so that text in any encoding survives a replacement. */
  redefine(change: (definition: string) => string): TocEntry {
    const defn = Buffer.from(change(this.fields.defn?.toString('latin1') ?? ''), 'latin1')
    return this.with({ defn })
  }
  /** The COPY statement of the data; empty if it is not COPY text. */
  get copyStatement(): string {
    return this.decode(this.fields.copyStmt)
  }
  /** Whether the data is COPY text; otherwise it is INSERT statements or a large object. */
  get isCopy(): boolean {
    return (this.fields.copyStmt?.length ?? 0) > 0
  }
  /** Whether a block of data belongs to this entry. */
  get hasData(): boolean {
    return this.fields.hadDumper === 1 && this.fields.dataState !== NO_DATA
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
  const entries: TocEntry[] = []
  const seen = new Set<number>()
  for (let n = 1; n <= count; n++) {
    const at = input.offset
    const entry = await readEntry(input, header, `entry ${n} of ${count} in the table of contents`)
    if (input.offset - start > MAX_TOC_BYTES)
      throw new ArchiveError('the table of contents has an impossible length', at)
    if (seen.has(entry.dumpId)) throw new ArchiveError(`entry ${n} repeats the ID ${entry.dumpId}`, at)
    seen.add(entry.dumpId)
    entries.push(entry)
  }
  const decode = decoderOf(encodingOf(entries))
  return entries.map(({ fields }) => new TocEntry(fields, decode))
}

/** Returns the encoding of all text, e.g. `UTF8`, according to the archive's own `SET client_encoding`. */
export function encodingOf(entries: readonly TocEntry[]): string | null {
  const setting = entries.find(({ desc }) => desc === 'ENCODING')?.definition
  return setting?.match(/'([^']*)'/)?.[1] ?? null
}

async function readEntry(input: ByteSource, header: Header, what: string): Promise<TocEntry> {
  const at = input.offset
  const fields: Record<string, unknown> = { tableam: null, relkind: 0 }
  for (const [name, kind, since] of FIELDS) {
    if (header.minor < since) continue
    fields[name] = kind === 'int' ? await input.int(what) : await input.string(what)
  }
  const dependencies: Buffer[] = []
  for (let id = await input.string(what); id !== null; id = await input.string(what)) dependencies.push(id)
  const dataState = await input.byte(what)
  await input.take(header.offsetSize, what)
  const entry = new TocEntry({ ...fields, dependencies, dataState } as TocFields)
  const problem = entryProblem(entry)
  if (problem) throw new ArchiveError(`${what} ${problem}`, at)
  return entry
}

function entryProblem({ dumpId, fields }: TocEntry): string | undefined {
  if (dumpId <= 0) return `has the impossible ID ${dumpId}`
  if (fields.hadDumper !== 0 && fields.hadDumper !== 1)
    return `has the impossible data flag ${fields.hadDumper}`
  if (fields.desc === null) return 'has no kind'
  if (fields.dataState < DATA_OFFSET_UNKNOWN || fields.dataState > NO_DATA) {
    return `has the impossible offset flag ${fields.dataState}`
  }
  return undefined
}

/**
 * Returns a table of contents in the version of `header`. Data offsets are left unknown: they belonged to the file that was
 * read, and pg_restore searches for data whose offset is unknown.
 */
export function tocBytes(header: Header, entries: readonly TocEntry[]): Buffer {
  return Buffer.concat([intBytes(entries.length), ...entries.flatMap((entry) => entryParts(header, entry))])
}

function entryParts(header: Header, { fields, hasData }: TocEntry): Buffer[] {
  const parts: Buffer[] = []
  for (const [name, kind, since] of FIELDS) {
    if (header.minor < since) continue
    if (kind === 'int') parts.push(intBytes(fields[name]))
    else parts.push(...stringBytes(fields[name]))
  }
  for (const id of fields.dependencies) parts.push(...stringBytes(id))
  const state = fields.dataState === NO_DATA || !hasData ? NO_DATA : DATA_OFFSET_UNKNOWN
  parts.push(intBytes(-1), Buffer.from([state]), Buffer.alloc(header.offsetSize))
  return parts
}
