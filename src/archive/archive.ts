import type { ArchiveProgress, ArchiveReport } from './archive-report.ts'
import type { Compression } from './encode.ts'
import { contentsHeader, headerBytes, OLDEST_READER_MINOR } from './header.ts'
import { type TocEntry, tocParts } from './toc.ts'
import { ANY_MINOR, type Select, Transcoder } from './transcode.ts'

export { ArchiveError } from './archive-error.ts'
export type { ArchiveReport, Watch } from './archive-report.ts'
export type { Compression } from './encode.ts'
export { JoinedArchive, type JoinOptions } from './join.ts'
export { readContents } from './read-contents.ts'
export { checkDelivered, type Deliverable } from './second-wall.ts'
export { type DataArchive, SplitArchive, type SplitOptions } from './split.ts'
export { NO_DATA } from './stored-entry.ts'
export { tableArchive } from './table-archive.ts'
export { encodingOf, SECTION, TocEntry } from './toc.ts'
export type { Select } from './transcode.ts'

/**
 * A stage of a pipeline through which one archive flows. `transform` throws ArchiveError if the archive is malformed or
 * incomplete; `report` throws if it was not read to its end.
 */
export type ArchiveStage = {
  transform: (source: AsyncIterable<Buffer>) => AsyncGenerator<Buffer>
  progress: Readonly<ArchiveProgress>
  /** Returns the table of contents as written; empty until then. */
  written: () => readonly TocEntry[]
  report: () => ArchiveReport
}

/** Returns an archive of entries without their data, for a program that only reads the table of contents. */
export function contentsOnly(entries: readonly TocEntry[]): Buffer {
  const header = contentsHeader()
  return Buffer.concat([headerBytes(header), ...tocParts(header, entries)])
}

/**
 * Compresses the output of `pg_dump -Fc -Z0` with `jobs` threads into an archive that pg_restore reads without this
 * action: 16 and later for zstd, any version for gzip and none. Entries keep their order, and `select` may add some. Memory is bounded by a few MiB
 * per job.
 */
export function createEncoder(options: {
  compression: Compression
  jobs: number
  select?: Select
}): ArchiveStage {
  return stage({ select: everything, ...options, maxMinor: ANY_MINOR })
}

/**
 * Decompresses an archive for a reader of versions up to `maxVersion` (see newestReadable). `select` chooses the entries of
 * the table of contents that are written with their data, and may change them; nothing is written before it returns.
 */
export function createDecoder(options: {
  maxVersion?: string | undefined
  jobs: number
  select?: Select | undefined
}): ArchiveStage {
  const { maxVersion, jobs, select = everything } = options
  return stage({ compression: { method: 'none' }, jobs, select, maxMinor: minorOf(maxVersion) })
}

const everything: Select = async (entries) => entries

function stage(options: ConstructorParameters<typeof Transcoder>[0]): ArchiveStage {
  const transcoder = new Transcoder(options)
  return {
    transform: (source) => transcoder.transform(source),
    progress: transcoder.tally.progress,
    written: () => transcoder.written,
    report: () => transcoder.report,
  }
}

/** Returns the newest archive version that pg_restore of this major version reads (K_VERS_MAX in pg_backup_archiver.h). */
export function newestReadable(major: number): string {
  return major < 16 ? '1.14' : major === 16 ? '1.15' : '1.16'
}

function minorOf(version: string | undefined): number {
  if (version === undefined) return ANY_MINOR
  const minor = Number(/^1\.(\d+)$/.exec(version)?.[1])
  if (!(minor >= OLDEST_READER_MINOR))
    throw new RangeError(`cannot write an archive for readers of ${version}`)
  return minor
}
