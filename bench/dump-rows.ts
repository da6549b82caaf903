import type { Contender, Contest } from './contest.ts'

const FLOOR = 'floor: pg_dump -Fc -Z0 > /dev/null'
const TO_FILE = 'pg_dump -Fc > file'
const TO_S3 = 'pg_dump -Fc | aws s3 cp'

const floor: Contender = {
  name: FLOOR,
  ours: false,
  run: (world) => world.shell('"$BIN/pg_dump" -Fc -Z0 > /dev/null', world.data),
}

const toFile: Contender = {
  name: TO_FILE,
  ours: false,
  run: (world) => world.shell('"$BIN/pg_dump" -Fc > "$FILE"', world.data),
}

const toS3: Contender = {
  name: TO_S3,
  ours: false,
  run: (world) => world.shell('"$BIN/pg_dump" -Fc | $S3 - "$URL"', world.data),
}

/** @param inputs of the action, beside the database and the place */
function ours(name: string, where: 'S3' | 'folder', inputs: Record<string, string>): Contender {
  return {
    name: `ours to ${where === 'S3' ? 'S3' : 'a file'}, ${name}`,
    ours: true,
    run: (world) =>
      world.action({
        'database-url': world.url(world.data),
        ...world.storage(where),
        ...inputs,
      }),
    ...(where === 'folder' ? { size: (world) => world.storedBytes } : {}),
  }
}

const toFolder = [
  ours('gzip', 'folder', { compression: 'gzip' }),
  ours('zstd, one job', 'folder', { compression: 'zstd', jobs: '1' }),
  ours('zstd', 'folder', { compression: 'zstd' }),
]

const toStore = [ours('gzip', 'S3', { compression: 'gzip' }), ours('zstd', 'S3', { compression: 'zstd' })]

export const dumpContests: Contest[] = [
  {
    id: 'dump-small',
    title: 'Dump of a small database',
    data: 'small',
    rounds: 3,
    contenders: [toS3, ...toStore],
    headline: { ours: 'ours to S3, zstd', peer: TO_S3, what: 'A dump of a small database to S3' },
  },
  large('medium', '100 MB', 'A dump of 100 MB to S3'),
  large('large', '1 GB', 'A nightly dump of 1 GB to S3'),
  {
    id: 'dump-table',
    title: 'Dump of one table of 1 GB',
    data: 'table',
    rounds: 2,
    contenders: [floor, toFile, ...toFolder.slice(1)],
    headline: { ours: 'ours to a file, zstd', peer: TO_FILE, what: 'A dump of one large table to a file' },
  },
  many('tables', '20,000 tables'),
  many('partitions', '5,000 partitions'),
  many('objects', '200,000 large objects'),
]

/** A database that is large enough to be dumped in every way. */
function large(data: 'medium' | 'large', size: string, what: string): Contest {
  return {
    id: `dump-${data}`,
    title: `Dump of ${size}`,
    data,
    rounds: 3,
    contenders: [floor, toFile, ...toFolder, toS3, ...toStore],
    headline: { ours: 'ours to S3, zstd', peer: TO_S3, what },
  }
}

/** A database of many small parts, where the cost of each part counts. */
function many(data: 'tables' | 'partitions' | 'objects', what: string): Contest {
  return {
    id: `dump-${data}`,
    title: `Dump of ${what}`,
    data,
    rounds: 1,
    contenders: [toFile, ours('zstd', 'folder', { compression: 'zstd' })],
    headline: { ours: 'ours to a file, zstd', peer: TO_FILE, what: `A dump of ${what} to a file` },
  }
}
