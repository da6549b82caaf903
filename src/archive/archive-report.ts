import { decodeUtf8 } from './encoding.ts'
import type { Algorithm, Header } from './header.ts'
import { RowCounter } from './rows.ts'
import { encodingOf, type TocEntry } from './toc.ts'

/** Rows and uncompressed bytes of a table's data. `rows` is null if the data is not readable COPY text. */
export type TableCount = { schema: string; name: string; rows: number | null; bytes: number }

/** Progress of a transfer: the current table with its counts, and the totals so far. Cheap to read at any time. */
export type ArchiveProgress = {
  table: string | null
  tableRows: number
  tableBytes: number
  rows: number
  rawBytes: number
}

/** What an archive says about itself, and what was counted while it was transferred. */
export type ArchiveReport = {
  /** The version of the archive is not known yet: it was copied unread, and nothing was counted or checked. */
  opaque: boolean
  /** Version of the archive that was read, e.g. `1.14`. */
  version: string
  /** Compression of the archive that was read. */
  algorithm: Algorithm | null
  /** Version of the server that was dumped, and of the pg_dump that dumped it. */
  serverVersion: string
  clientVersion: string
  database: string
  /** Encoding of all text, e.g. `UTF8`. */
  encoding: string | null
  /** The CREATE DATABASE statement, which contains the locale. */
  createDatabase: string | null
  /** The table of contents as written: without the entries that were filtered out, and in the version that was written. */
  entries: readonly TocEntry[]
  /** Every table whose data was transferred, in the order of the archive. */
  tables: readonly TableCount[]
  /** Sum over the tables; null if the rows of one are unknown. */
  rows: number | null
  /** Uncompressed bytes of all data, large objects included. */
  rawBytes: number
}

/** Sees the COPY text of one table as it passes. */
export type Watcher = { add: (piece: Buffer) => void; end: () => void }

/** Returns who watches the data of an entry, which has this encoding by PostgreSQL's name, or null. */
export type Watch = (entry: TocEntry, encoding: string | null) => Watcher | null

/** Counts data while it is transferred. */
export class Tally {
  readonly progress: ArchiveProgress = { table: null, tableRows: 0, tableBytes: 0, rows: 0, rawBytes: 0 }
  readonly tables: TableCount[] = []
  private readonly countsRows: boolean
  private readonly watch: (entry: TocEntry) => Watcher | null
  private watcher: Watcher | null = null
  private counter: RowCounter | null = null
  private rowsBefore = 0

  constructor(countsRows = true, watch: (entry: TocEntry) => Watcher | null = () => null) {
    this.countsRows = countsRows
    this.watch = watch
  }

  /** The data of `entry` follows; `readable` is false if it stays compressed. */
  begin(entry: TocEntry, readable: boolean): void {
    const isTable = entry.desc === 'TABLE DATA'
    this.watcher = isTable ? this.watch(entry) : null
    this.counter = this.countsRows && isTable && entry.isCopy && readable ? new RowCounter() : null
    this.rowsBefore = this.progress.rows
    this.progress.table = isTable ? `${entry.namespace}.${entry.tag}` : null
    this.progress.tableRows = 0
    this.progress.tableBytes = 0
  }

  add(piece: Buffer): void {
    this.progress.rawBytes += piece.length
    this.progress.tableBytes += piece.length
    this.watcher?.add(piece)
    if (this.counter === null) return
    this.counter.add(piece)
    this.progress.tableRows = this.counter.rows
    this.progress.rows = this.rowsBefore + this.counter.rows
  }

  end(entry: TocEntry): void {
    if (entry.desc !== 'TABLE DATA') return
    this.watcher?.end()
    const rows = this.counter?.rows ?? null
    this.tables.push({ schema: entry.namespace, name: entry.tag, rows, bytes: this.progress.tableBytes })
    this.progress.table = null
  }

  get rawBytes(): number {
    return this.progress.rawBytes
  }

  get rows(): number | null {
    return this.tables.some((table) => table.rows === null) ? null : this.progress.rows
  }
}

/** Returns the report of an archive that was read to its end. */
export function reportOf(
  read: Header,
  entries: readonly TocEntry[],
  { tables, rows, rawBytes }: Pick<ArchiveReport, 'tables' | 'rows' | 'rawBytes'>,
): ArchiveReport {
  const definition = (desc: string) => entries.find((entry) => entry.desc === desc)?.definition ?? null
  return {
    opaque: false,
    version: `1.${read.minor}`,
    algorithm: read.algorithm,
    serverVersion: decodeUtf8(read.serverVersion),
    clientVersion: decodeUtf8(read.clientVersion),
    database: (entries[0]?.decode ?? decodeUtf8)(read.database),
    encoding: encodingOf(entries),
    createDatabase: definition('DATABASE'),
    entries,
    tables,
    rows,
    rawBytes,
  }
}

/** Returns the report of an archive that was copied unread. */
export function opaqueReport(version: string, bytes: number): ArchiveReport {
  return {
    opaque: true,
    version,
    algorithm: null,
    serverVersion: '',
    clientVersion: '',
    database: '',
    encoding: null,
    createDatabase: null,
    entries: [],
    tables: [],
    rows: null,
    rawBytes: bytes,
  }
}
