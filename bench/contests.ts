import type { Contender, Contest } from './contest.ts'
import { copyContests } from './copy-rows.ts'
import { dumpContests } from './dump-rows.ts'
import { encryptionContests } from './encryption-rows.ts'
import { linkContests } from './link-rows.ts'
import { maskContests } from './mask-rows.ts'
import { restoreContests } from './restore-rows.ts'

/** All contests, those of one database one after the other, because each database is made once. */
export function allContests(): Contest[] {
  const contests = [
    ...dumpContests,
    ...maskContests,
    ...encryptionContests,
    ...restoreContests,
    ...copyContests,
    hugeContest,
    ...linkContests,
  ]
  const names = [...new Set(contests.map(({ data }) => data))]
  return names.flatMap((name) => contests.filter(({ data }) => data === name))
}

/** It has no peer: what it shows is the memory that the action takes. */
const hugeContest: Contest = {
  ...{ id: 'memory-huge', title: 'Dump and restore of 4 GB', data: 'huge', rounds: 1, headline: null },
  contenders: [hugeDump(), hugeRestore()],
}

function hugeDump(): Contender {
  return {
    ...{ name: 'ours: dump to a file', ours: true },
    run: (world) => world.action({ 'database-url': world.url(world.data), ...world.storage('folder') }),
  }
}

function hugeRestore(): Contender {
  return {
    ...{ name: 'ours: restore from a file', ours: true, before: (world) => world.recreateTarget() },
    run: (world) => {
      const place = world.storage('folder')
      return world.action({
        ...{ command: 'restore', overwrite: 'true', 'database-url': world.url('restored') },
        ...{ 'dump-key': 'latest', ...place },
      })
    },
  }
}
