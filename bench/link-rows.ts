import type { Contender, Contest } from './contest.ts'
import { makeDumps } from './restore-rows.ts'
import { DISTANCE, type World } from './world.ts'

const CONNECTIONS = 4
const ROUTE = { slow: true }

const before = (world: World) => world.recreateTarget()

const LINK = `${DISTANCE.roundTripMs} ms and ${DISTANCE.bytesPerSecond / 1e6} MB/s for each connection`

const dump: Contender = {
  name: 'pg_dump -Fc > file',
  ours: false,
  run: (world) => world.shell('"$BIN/pg_dump" -Fc > "$FILE"', world.data, ROUTE),
}

function ourDump(jobs: number): Contender {
  return {
    name: `ours, ${connections(jobs)}`,
    ours: true,
    run: (world) =>
      world.action({
        'database-url': world.url(world.data, ROUTE),
        ...world.storage('folder'),
        ...{ compression: 'zstd', jobs: String(jobs) },
      }),
  }
}

const restore: Contender = {
  name: `pg_restore -j${CONNECTIONS} file`,
  ours: false,
  before,
  run: (world) =>
    world.shell(`"$BIN/pg_restore" --no-owner --no-acl -j${CONNECTIONS} -d "" "$FILE"`, 'restored', ROUTE),
}

function ourRestore(jobs: number): Contender {
  return {
    name: `ours, ${connections(jobs)}`,
    ours: true,
    before,
    run: (world) => {
      const place = world.storage('folder')
      return world.action({
        ...{ command: 'restore', overwrite: 'true', 'database-url': world.url('restored', ROUTE) },
        ...{ 'dump-key': world.keys.get(place['storage-location']!)!, ...place },
        jobs: String(jobs),
      })
    },
  }
}

function connections(jobs: number): string {
  return jobs === 1 ? 'one connection' : `${jobs} connections`
}

export const ONE = connections(1)
export const SEVERAL = connections(CONNECTIONS)

const DATABASES = [
  ['link-tables', 'eight tables, 200 MB'],
  ['link-table', 'one table, 200 MB'],
  ['link-large', 'one table, 1 GB'],
] as const

export const linkContests: Contest[] = DATABASES.flatMap(([data, what]) => {
  const headline = (verb: string) => ({
    ...{ ours: `ours, ${SEVERAL}`, peer: `ours, ${ONE}` },
    what: `With ${SEVERAL}, a ${verb} of ${what}, through a slow link`,
  })
  return [
    {
      ...{ id: `${data}-dump`, title: `Dump of ${what}, through a link with ${LINK}`, data },
      ...{ rounds: 1, contenders: [dump, ourDump(1), ourDump(CONNECTIONS)], headline: headline('dump') },
    },
    {
      ...{ id: `${data}-restore`, title: `Restore of ${what}, through a link with ${LINK}`, data },
      ...{ rounds: 1, contenders: [restore, ourRestore(1), ourRestore(CONNECTIONS)] },
      ...{ headline: headline('restore'), prepare: (world: World) => makeDumps(world, ['folder']) },
    },
  ]
})
