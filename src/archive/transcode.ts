import { ArchiveError } from './archive-error.ts'
import { type ArchiveReport, opaqueReport, reportOf, Tally } from './archive-report.ts'
import { BlockReader, isCopied, type Writing } from './blocks.ts'
import { ByteSource } from './byte-source.ts'
import { downgradeToc } from './downgrade-toc.ts'
import type { Compression } from './encode.ts'
import { Gatherer } from './gatherer.ts'
import { type Header, headerBytes, NEWEST_MINOR, oldestMinor, peekVersion, readHeader } from './header.ts'
import { ordered } from './ordered.ts'
import { readToc, type TocEntry, tocParts } from './toc.ts'

/** The reader accepts any version. */
export const ANY_MINOR = Number.POSITIVE_INFINITY

/** Chooses among the entries of an archive. An error ends the transfer before a byte is written. */
export type Select = (entries: readonly TocEntry[]) => Promise<readonly TocEntry[]>

/** `maxMinor` is the newest version 1.x that may be written. Entries that `select` leaves out are dropped with their data. */
export type TranscodeOptions = {
  compression: Compression
  jobs: number
  maxMinor: number
  select: Select
}

/** Rewrites an archive: recompressed, filtered and for an older reader; counts its rows and bytes on the way. */
export class Transcoder {
  readonly tally = new Tally()
  /** The table of contents as written; empty until then. */
  written: readonly TocEntry[] = []
  private readonly options: TranscodeOptions
  private finished: ArchiveReport | null = null

  constructor(options: TranscodeOptions) {
    this.options = options
  }

  get report(): ArchiveReport {
    if (this.finished === null) throw new Error('the archive was not read to its end')
    return this.finished
  }

  async *transform(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const input = new ByteSource(source)
    try {
      const { version, minor } = await peekVersion(input)
      if (minor <= NEWEST_MINOR) yield* this.archive(input)
      else if (minor <= this.options.maxMinor) yield* this.opaque(input, version)
      else throw new ArchiveError(`archive version ${version} is newer than 1.${this.options.maxMinor}`, 0)
    } finally {
      await input.close()
    }
  }

  private async *opaque(input: ByteSource, version: string): AsyncGenerator<Buffer> {
    for await (const buffer of input.rest()) {
      this.tally.progress.rawBytes += buffer.length
      yield buffer
    }
    this.finished = opaqueReport(version, input.offset)
  }

  private async *archive(input: ByteSource): AsyncGenerator<Buffer> {
    const read = await readHeader(input)
    const entries = await readToc(input, read)
    const header = writtenHeader(read, this.options)
    const kept = downgradeToc(await this.options.select(entries), read, header)
    this.written = kept
    yield headerBytes(header)
    yield* tocParts(header, kept)
    const reader = new BlockReader(input, read, entries, this.tally, this.options)
    const ids = kept.filter(({ hasData }) => hasData).map(({ dumpId }) => dumpId)
    const tasks = reader.tasks(new Set(ids))
    const gatherer = new Gatherer()
    for await (const { buffers } of ordered(tasks, 2 * this.options.jobs)) yield* gatherer.add(buffers)
    yield* gatherer.rest()
    this.finished = reportOf(read, kept, this.tally)
  }
}

/** Returns the header to write. */
export function writtenHeader(
  read: Header,
  { compression, maxMinor }: { compression: Writing; maxMinor: number },
): Header {
  const algorithm = isCopied(read, compression) ? read.algorithm : (compression as Compression).method
  const since = oldestMinor(algorithm)
  const minor = Math.min(Math.max(read.minor, since), maxMinor)
  if (minor < since) {
    throw new ArchiveError(
      `the archive is compressed with ${algorithm}, which readers of version 1.${maxMinor} do not support`,
      0,
    )
  }
  return { ...read, minor, algorithm }
}
