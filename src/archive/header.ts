import { ArchiveError } from './archive-error.ts'
import { type ByteSource, type Bytes, intBytes, stringBytes } from './byte-source.ts'

/** How data is compressed, in the order of pg_compress_algorithm in PostgreSQL's common/compression.h. */
const ALGORITHMS = ['none', 'gzip', 'lz4', 'zstd'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

const MAGIC = Buffer.from('PGDMP')
const CUSTOM_FORMAT = 1
const OLDEST_MINOR = 12

/** The newest supported version: 1.16, of PostgreSQL 17 and 18. */
export const NEWEST_MINOR = 16

/** From this minor version on, the header names the algorithm instead of a gzip level (K_VERS_1_15). */
const ALGORITHM_BYTE = 15

/** Returns the first minor version whose archives may be compressed with this algorithm. */
export function oldestMinor(algorithm: Algorithm): number {
  return algorithm === 'lz4' || algorithm === 'zstd' ? ALGORITHM_BYTE : 0
}

/**
 * The header of an archive (WriteHead and ReadHead in pg_backup_archiver.c), version 1.`minor`. `created` holds the seven
 * integers of a C struct tm, unparsed.
 */
export type Header = {
  minor: number
  revision: number
  offsetSize: number
  algorithm: Algorithm
  created: Buffer
  database: Bytes
  serverVersion: Bytes
  clientVersion: Bytes
}

/** Reads the version, 1.`minor`, without consuming it. For any later major version, `minor` is infinite. */
export async function peekVersion(input: ByteSource): Promise<{ version: string; minor: number }> {
  const whole = await input.fill(MAGIC.length)
  const start = input.peek(MAGIC.length)
  if (!start.equals(MAGIC.subarray(0, start.length))) {
    throw new ArchiveError('this is not a custom-format archive: it does not begin with "PGDMP"', 0)
  }
  if (!whole) throw new ArchiveError('the archive ends inside its magic number', start.length)
  await input.need(MAGIC.length + 2, 'its version')
  const [major, minor] = input.peek(MAGIC.length + 2).subarray(MAGIC.length) as unknown as [number, number]
  if (major < 1 || (major === 1 && minor < OLDEST_MINOR)) {
    throw new ArchiveError(`archive version ${major}.${minor} is older than 1.${OLDEST_MINOR}`, MAGIC.length)
  }
  return { version: `${major}.${minor}`, minor: major === 1 ? minor : Number.POSITIVE_INFINITY }
}

/** Reads the header of an archive whose version is known. */
export async function readHeader(input: ByteSource): Promise<Header> {
  const { 6: minor, 7: revision } = await input.take(MAGIC.length + 3, 'its header')
  const intSize = await input.byte('its header')
  if (intSize !== 4)
    throw new ArchiveError(`integers of ${intSize} bytes are not supported`, input.offset - 1)
  const offsetSize = await input.byte('its header')
  if (offsetSize !== 4 && offsetSize !== 8) {
    throw new ArchiveError(`file offsets of ${offsetSize} bytes are not supported`, input.offset - 1)
  }
  const format = await input.byte('its header')
  if (format !== CUSTOM_FORMAT) {
    throw new ArchiveError(`archive format ${format} is not the custom format`, input.offset - 1)
  }
  return {
    minor: minor!,
    revision: revision!,
    offsetSize,
    algorithm: await readAlgorithm(input, minor!),
    created: await input.take(7 * 5, 'its creation time'),
    database: await input.string('the name of its database'),
    serverVersion: await input.string('its server version'),
    clientVersion: await input.string('its client version'),
  }
}

async function readAlgorithm(input: ByteSource, minor: number): Promise<Algorithm> {
  if (minor < ALGORITHM_BYTE) return (await input.int('its compression level')) === 0 ? 'none' : 'gzip'
  const code = await input.byte('its compression')
  const algorithm = ALGORITHMS[code]
  if (algorithm === undefined)
    throw new ArchiveError(`the archive has the unknown compression ${code}`, input.offset - 1)
  return algorithm
}

/** The oldest version that every supported pg_restore can be given. */
export const OLDEST_READER_MINOR = 14

/** Returns the header of an archive that only passes on what the program before it wrote. */
export function contentsHeader(): Header {
  const name = Buffer.from('contents')
  return {
    ...{ minor: OLDEST_READER_MINOR, revision: 0, offsetSize: 8, algorithm: 'none' },
    // Midnight of the first day of 2000, as in C's struct tm.
    created: Buffer.concat([0, 0, 0, 1, 0, 100, 0].map(intBytes)),
    ...{ database: name, serverVersion: name, clientVersion: name },
  }
}

/** Returns the header as `WriteHead` of pg_backup_archiver.c writes it. */
export function headerBytes(header: Header): Buffer {
  const code = ALGORITHMS.indexOf(header.algorithm)
  return Buffer.concat([
    MAGIC,
    Buffer.from([1, header.minor, header.revision, 4, header.offsetSize, CUSTOM_FORMAT]),
    // Readers before 1.15 only check whether the level is zero; -1 is the default of zlib.
    header.minor < ALGORITHM_BYTE ? intBytes(code === 0 ? 0 : -1) : Buffer.from([code]),
    header.created,
    ...stringBytes(header.database),
    ...stringBytes(header.serverVersion),
    ...stringBytes(header.clientVersion),
  ])
}
