import { ArchiveError } from './archive-error.ts'
import {
  type ByteSource,
  type Bytes,
  INT_SIZE,
  intBytes,
  MAX_STRING_BYTES,
  stringBytes,
} from './byte-source.ts'
import type { Slabs, Slice } from './slabs.ts'

export const DATA_OFFSET_UNKNOWN = 1 // K_OFFSET_POS_NOT_SET in pg_backup_archiver.h
export const NO_DATA = 3 // K_OFFSET_NO_DATA

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

export type FieldOf<Kind> = Extract<(typeof FIELDS)[number], readonly [string, Kind, number]>[0]

/** An entry as stored, strings in the encoding of the database. `dataState` is one of the K_OFFSET constants. */
export type TocFields = Record<FieldOf<'int'>, number> &
  Record<FieldOf<'string'>, Bytes> & { dependencies: Buffer[]; dataState: number }

/** The fields that an entry has in some versions of the format. */
export type Layout = readonly (typeof FIELDS)[number][]

const LAYOUTS = new Map<number, Layout>()

/** Returns the layout of entries in archives of version 1.`minor`. Equal layouts are the same object. */
export function layoutOf(minor: number): Layout {
  const newest = Math.max(...FIELDS.map(([, , since]) => since).filter((since) => since <= minor))
  const known = LAYOUTS.get(newest)
  if (known) return known
  const layout = FIELDS.filter(([, , since]) => since <= newest)
  LAYOUTS.set(newest, layout)
  return layout
}

const NEWEST_LAYOUT = layoutOf(Number.POSITIVE_INFINITY)

/** An entry of the table of contents as an archive stores it, without the offset at its end. */
export class StoredEntry {
  readonly layout: Layout
  readonly #slab: Buffer
  readonly #start: number
  readonly #end: number

  constructor(layout: Layout, { slab, start, end }: Slice) {
    this.layout = layout
    this.#slab = slab
    this.#start = start
    this.#end = end
  }

  static of(fields: TocFields): StoredEntry {
    return encode(NEWEST_LAYOUT, fields)
  }

  /** Returns the entry in another layout. */
  in(layout: Layout): StoredEntry {
    return layout === this.layout ? this : encode(layout, this.fields)
  }

  /** Returns the entry with its bytes in the given slabs. */
  keptIn(slabs: Slabs): StoredEntry {
    return new StoredEntry(this.layout, slabs.keep(this.slice))
  }

  /** Where its bytes are. */
  get slice(): Slice {
    return { slab: this.#slab, start: this.#start, end: this.#end }
  }

  /** One of the K_OFFSET constants. */
  get dataState(): number {
    return this.#slab[this.#end - 1]!
  }
  get withoutState(): Buffer {
    return this.#slab.subarray(this.#start, this.#end - 1)
  }

  int(field: FieldOf<'int'>): number {
    const at = this.#find(field)
    return at === null ? 0 : intAt(this.#slab, at)
  }

  string(field: FieldOf<'string'>): Bytes {
    const at = this.#find(field)
    return at === null ? null : stringAt(this.#slab, at)
  }

  /** IDs of the entries on which this one depends, as decimal text. */
  get dependencyIds(): Buffer[] {
    const dependencies: Buffer[] = []
    let at = this.layout.reduce((start, field) => endOf(field, this.#slab, start), this.#start)
    for (let id = stringAt(this.#slab, at); id !== null; id = stringAt(this.#slab, at)) {
      dependencies.push(id)
      at += INT_SIZE + id.length
    }
    return dependencies
  }

  /** All fields, read again at each access. */
  get fields(): TocFields {
    const { dependencyIds: dependencies, dataState } = this
    const all = FIELDS.map(([name, kind]) => [name, kind === 'int' ? this.int(name) : this.string(name)])
    return { ...Object.fromEntries(all), dependencies, dataState } as TocFields
  }

  /** What is wrong with the entry. */
  get problem(): string | undefined {
    const [id, hadDumper] = [this.int('dumpId'), this.int('hadDumper')]
    if (id <= 0) return `has the impossible ID ${id}`
    if (hadDumper !== 0 && hadDumper !== 1) return `has the impossible data flag ${hadDumper}`
    if (this.string('desc') === null) return 'has no kind'
    if (this.dataState < DATA_OFFSET_UNKNOWN || this.dataState > NO_DATA)
      return `has the impossible offset flag ${this.dataState}`
    return undefined
  }

  /** Returns where a field begins, or null if this layout does not have it. */
  #find(name: string): number | null {
    let at = this.#start
    for (const field of this.layout) {
      if (field[0] === name) return at
      at = endOf(field, this.#slab, at)
    }
    return null
  }
}

function encode(layout: Layout, fields: TocFields): StoredEntry {
  const parts = layout.flatMap(([name, kind]) =>
    kind === 'int' ? [intBytes(fields[name])] : stringBytes(fields[name]),
  )
  const dependencies = [...fields.dependencies, null].flatMap(stringBytes)
  const slab = Buffer.concat([...parts, ...dependencies, Buffer.from([fields.dataState])])
  return new StoredEntry(layout, { slab, start: 0, end: slab.length })
}

function endOf([, kind]: Layout[number], bytes: Buffer, at: number): number {
  return at + INT_SIZE + (kind === 'int' ? 0 : Math.max(0, intAt(bytes, at)))
}

function intAt(bytes: Buffer, at: number): number {
  const value = bytes.readUInt32LE(at + 1)
  return bytes[at] === 1 ? -value : value
}

function stringAt(bytes: Buffer, at: number): Bytes {
  const length = intAt(bytes, at)
  return length < 0 ? null : bytes.subarray(at + INT_SIZE, at + INT_SIZE + length)
}

/** Reads an entry up to its data state. It shares the buffer of the input. `what` names it in errors. */
export async function readStored(
  input: ByteSource,
  { layout, what }: { layout: Layout; what: string },
): Promise<StoredEntry> {
  for (;;) {
    const measured = measure(input.peek(Number.POSITIVE_INFINITY), { layout, what, offset: input.offset })
    await input.need(measured.bytes, what)
    if (!measured.complete) continue
    const slab = input.peek(measured.bytes)
    input.skip(measured.bytes)
    return new StoredEntry(layout, { slab, start: 0, end: slab.length })
  }
}

type Measuring = { layout: Layout; what: string; offset: number }

/** Returns the length of the entry at the start of `bytes`, or at least how many bytes are needed to go on. */
function measure(window: Buffer, { layout, what, offset }: Measuring): { bytes: number; complete: boolean } {
  let at = 0
  const read = (): number | null => {
    if (window.length - at < INT_SIZE) return null
    if (window[at]! > 1)
      throw new ArchiveError(`${what} has the impossible sign byte ${window[at]}`, offset + at)
    return intAt(window, at)
  }
  const length = (value: number): number => {
    if (value > MAX_STRING_BYTES)
      throw new ArchiveError(`${what} has the impossible length ${value}`, offset + at)
    return INT_SIZE + Math.max(0, value)
  }
  for (const [, kind] of layout) {
    const value = read()
    if (value === null) return { bytes: at + INT_SIZE, complete: false }
    at += kind === 'int' ? INT_SIZE : length(value)
  }
  for (let last = false; !last; ) {
    const value = read()
    if (value === null) return { bytes: at + INT_SIZE, complete: false }
    last = value < 0
    at += length(value)
  }
  return { bytes: at + 1, complete: true }
}
