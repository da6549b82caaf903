import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import type { Contender, Contest } from './contest.ts'
import type { World } from './world.ts'

const JOBS = availableParallelism()

const PIPE = 'aws s3 cp | pg_restore'
const FROM_FILE = `pg_restore -j${JOBS} file`
const FROM_DOWNLOAD = `aws s3 cp, then pg_restore -j${JOBS} file`

const before = (world: World) => world.recreateTarget()
const restore = '"$BIN/pg_restore" --no-owner --no-acl -d ""'

const pipe: Contender = {
  name: PIPE,
  ours: false,
  before,
  run: (world) => world.shell(`$S3 "$URL" - | ${restore}`, 'restored'),
}

const fromFile: Contender = {
  name: FROM_FILE,
  ours: false,
  before,
  run: (world) => world.shell(`${restore} -j${JOBS} "$FILE"`, 'restored'),
}

const fromDownload: Contender = {
  name: FROM_DOWNLOAD,
  ours: false,
  before,
  run: (world) => world.shell(`$S3 "$URL" "$FILE.down"; ${restore} -j${JOBS} "$FILE.down"`, 'restored'),
}

/** @param inputs of the action, beside the database and the place */
function ours(name: string, where: 'S3' | 'folder', inputs: Record<string, string> = {}): Contender {
  return {
    name: `ours ${name}`,
    ours: true,
    before,
    run: (world) => {
      const place = world.storage(where)
      return world.action({
        ...{ command: 'restore', overwrite: 'true', 'database-url': world.url('restored') },
        ...{ 'dump-key': world.keys.get(place['storage-location']!)! },
        ...place,
        ...inputs,
      })
    },
  }
}

const store = [
  ours('from S3', 'S3'),
  ours('from S3 by latest', 'S3', { 'dump-key': 'latest' }),
  ours('from S3, one job', 'S3', { jobs: '1' }),
]
const template = ours('from a template', 'S3', { 'template-cache': '1' })
const folder = [ours('from a file', 'folder'), ours('from a file, one job', 'folder', { jobs: '1' })]

/** Makes the dumps that are restored, where the contest of the dump has not made them. */
export async function makeDumps(world: World, places: readonly ('S3' | 'folder')[]): Promise<void> {
  if (!existsSync(world.peerFile)) await world.shell('"$BIN/pg_dump" -Fc > "$FILE"', world.data)
  const database = { 'database-url': world.url(world.data), compression: 'zstd' }
  for (const where of places) {
    const place = world.storage(where)
    if (!world.keys.has(place['storage-location']!)) await world.action({ ...database, ...place })
    const uploaded = world.s3.objects().has(basename(world.peerFile))
    if (where === 'S3' && !uploaded) await world.shell('$S3 "$FILE" "$URL"', world.data)
  }
}

export const restoreContests: Contest[] = [
  fromStore('small', 'a small database', [pipe, store[0]!, template]),
  fromStore('medium', '100 MB', [pipe, fromFile, fromDownload, ...store, template]),
  fromStore('large', '1 GB', [pipe, fromFile, fromDownload, store[0]!, store[2]!, template]),
  {
    ...{ id: 'restore-table', title: 'Restore of one table of 1 GB with three indexes', data: 'table' },
    ...{ rounds: 2, prepare: (world) => makeDumps(world, ['folder']) },
    contenders: [fromFile, ...folder],
    headline: { ours: 'ours from a file', peer: FROM_FILE, what: 'A restore of one large table' },
  },
  many('tables', '20,000 tables'),
  many('partitions', '5,000 partitions'),
  many('objects', '200,000 large objects'),
]

function fromStore(
  data: 'small' | 'medium' | 'large',
  what: string,
  contenders: readonly Contender[],
): Contest {
  return {
    ...{
      id: `restore-${data}`,
      title: `Restore of ${what}`,
      data,
      contenders,
      rounds: data === 'large' ? 2 : 3,
    },
    prepare: async (world) => {
      await makeDumps(world, ['S3'])
      // The first restore of a dump makes the template that later ones copy.
      await world.recreateTarget()
      await template.run(world)
    },
    headline: { ours: 'ours from S3', peer: PIPE, what: `A restore of ${what} from S3` },
  }
}

/** Databases of many small parts, where the cost of each part counts. */
function many(data: 'tables' | 'partitions' | 'objects', what: string): Contest {
  return {
    ...{ id: `restore-${data}`, title: `Restore of ${what}`, data, rounds: 1 },
    contenders: [fromFile, folder[0]!],
    prepare: (world) => makeDumps(world, ['folder']),
    headline: { ours: 'ours from a file', peer: FROM_FILE, what: `A restore of ${what} from a file` },
  }
}
